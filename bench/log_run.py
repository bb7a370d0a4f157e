"""Logs from end to end: taken in over OTLP, weighed and asked over Loki's API."""

from __future__ import annotations

import http.client
import json
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from rich.console import Console

from bench.disk import measure_disk
from bench.log_lines import RARE_WORD, encode_log_bodies
from bench.log_sending import LogLoad, send_logs
from bench.processes import Settling
from bench.running import Running, start
from bench.systems import HOST, SWARMSCOPE

_MIB = 1024 * 1024
_NS_PER_S = 1_000_000_000
_HOUR_NS = 3600 * _NS_PER_S
_TIMEOUT_S = 120
_LINES_PER_BODY = 2_500
_BODIES = 80
_MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class LogQuestion:
    """One query; `bound_ms` is what it may take with 20 million lines stored."""

    name: str
    query: str
    start_ns: int
    end_ns: int
    limit: int = 100
    step_s: int = 0
    bound_ms: float = 0.0

    @property
    def path(self) -> str:
        """Path and query string of the request."""
        wanted: dict[str, object] = {"query": self.query, "start": self.start_ns, "end": self.end_ns}
        wanted |= {"step": f"{self.step_s}s"} if self.step_s else {"limit": self.limit, "direction": "backward"}
        return "/loki/api/v1/query_range?" + urlencode(wanted)


def log_questions(load: LogLoad) -> list[LogQuestion]:
    """The four that have bounds."""
    start, end = load.start_ns, load.end_ns + 1
    hour = load.end_ns // (60 * _NS_PER_S) * 60 * _NS_PER_S
    per_ns = load.n_lines / (load.end_ns - load.start_ns)
    # Four services share the lines: a range that holds a million of one service's.
    million_ns = min(load.end_ns - load.start_ns, int(4 * _MILLION / per_ns))
    return [
        LogQuestion("a rare word over all lines", f'{{service_name=~".+"}} |= "{RARE_WORD}"', start, end, bound_ms=60),
        LogQuestion(
            "lines by level and minute, 1 h",
            'sum by (detected_level) (count_over_time({service_name="planner"}[1m]))',
            hour - _HOUR_NS + 60 * _NS_PER_S,
            hour,
            step_s=60,
            bound_ms=100,
        ),
        LogQuestion(
            "JSON, a label filter and an unwrap over 1 M lines",
            'sum(sum_over_time({service_name="planner"} | json | status="500" | unwrap duration_ms [5m]))',
            load.end_ns - million_ns,
            load.end_ns,
            step_s=300,
            bound_ms=500,
        ),
        LogQuestion(
            "the newest 1,000 lines of a stream",
            '{service_name="coder", service_instance_id="coder-3"}',
            start,
            end,
            limit=1000,
            bound_ms=30,
        ),
    ]


def measure_logs(n_lines: int, runs: int, settling: Settling, console: Console) -> dict[str, Any]:
    """Take in `n_lines` lines, ask, stop, weigh."""
    console.print(f"{n_lines:,} log lines → swarmscope", style="dim")
    bodies = encode_log_bodies(_BODIES, _LINES_PER_BODY)
    end_ns = time.time_ns()
    rounds = max(1, n_lines // (_BODIES * _LINES_PER_BODY))
    load = LogLoad(bodies, rounds, end_ns - 4 * _HOUR_NS, end_ns)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, start(SWARMSCOPE, Path(folder)) as running:
        written = _write(running, load, settling)
        console.print("log queries, disk", style="dim")
        questions = [_ask(running, question, runs) for question in log_questions(load)]
        running.process.stop()
        use = measure_disk(running.system, running.data, 0)
        written["bytes_per_line"] = use.total / load.n_lines
        written["merged_bytes_per_line"] = use.merged / load.n_lines
        written["merged_by_table"] = use.merged_by_table
    return {**written, "questions": questions}


def _write(running: Running, load: LogLoad, settling: Settling) -> dict[str, Any]:
    process = running.process
    process.settle(Settling(0.0, settling.maximum_s))
    before = process.cpu_s()
    sent = send_logs(running.port, "/v1/logs", load, connections=4)
    process.settle(settling)
    memory = process.memory_bytes()
    latencies = sorted(sent.latencies_s)
    return {
        "lines": load.n_lines,
        "accepted": sent.accepted,
        "refused": sent.refused,
        "put_off": sent.put_off,
        "errors": sent.errors,
        "lines_per_s": sent.accepted / sent.seconds if sent.seconds else 0.0,
        "cpu_s_per_million": (process.cpu_s() - before) / max(1, sent.accepted) * _MILLION,
        "peak_mib": memory["peak"] / _MIB,
        "anonymous_mib": memory["anonymous"] / _MIB,
        "latency_median_ms": statistics.median(latencies) * 1e3 if latencies else 0.0,
    }


def _ask(running: Running, question: LogQuestion, runs: int) -> dict[str, Any]:
    times_ms: list[float] = []
    problem, n_results = "", 0
    connection = http.client.HTTPConnection(HOST, running.port, timeout=_TIMEOUT_S)
    before = running.process.cpu_s()
    for _ in range(runs):
        begun = time.perf_counter()
        connection.request("GET", question.path)
        answer = connection.getresponse()
        body = answer.read()
        times_ms.append((time.perf_counter() - begun) * 1e3)
        if answer.status != http.client.OK:
            problem = f"{answer.status} {body[:300].decode(errors='replace')}"
            break
        n_results = sum(len(stream["values"]) for stream in json.loads(body)["data"]["result"])
    connection.close()
    return {
        "name": question.name,
        "median_ms": statistics.median(times_ms),
        "bound_ms": question.bound_ms,
        "cpu_ms": (running.process.cpu_s() - before) / len(times_ms) * 1e3,
        "values": n_results,
        "problem": problem,
    }
