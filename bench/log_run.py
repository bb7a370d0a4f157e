"""Logs from end to end: taken in over OTLP, weighed and asked over Loki's API."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from rich.console import Console

from bench.asking import Question, ask
from bench.disk import measure_disk
from bench.log_lines import RARE_WORD, encode_log_bodies
from bench.otlp_run import write_load
from bench.otlp_sending import OtlpLoad
from bench.processes import Settling
from bench.running import start
from bench.systems import SWARMSCOPE

_NS_PER_S = 1_000_000_000
_HOUR_NS = 3600 * _NS_PER_S
_LINES_PER_BODY = 2_500
_BODIES = 80
_MILLION = 1_000_000


def log_questions(load: OtlpLoad) -> list[Question]:
    """The four that have bounds."""
    start, end = load.start_ns, load.end_ns + 1
    hour = load.end_ns // (60 * _NS_PER_S) * 60 * _NS_PER_S
    per_ns = load.n_records / (load.end_ns - load.start_ns)
    # Four services share the lines: a range that holds a million of one service's.
    million_ns = min(load.end_ns - load.start_ns, int(4 * _MILLION / per_ns))
    by_level = 'sum by (detected_level) (count_over_time({service_name="planner"}[1m]))'
    unwrapped = 'sum(sum_over_time({service_name="planner"} | json | status="500" | unwrap duration_ms [5m]))'
    asked: list[tuple[str, float, dict[str, object]]] = [
        ("a rare word over all lines", 60,
         {"query": f'{{service_name=~".+"}} |= "{RARE_WORD}"', "start": start, "end": end, "limit": 100}),
        ("lines by level and minute, 1 h", 100,
         {"query": by_level, "start": hour - _HOUR_NS + 60 * _NS_PER_S, "end": hour, "step": "60s"}),
        ("JSON, a label filter and an unwrap over 1 M lines", 500,
         {"query": unwrapped, "start": load.end_ns - million_ns, "end": load.end_ns, "step": "300s"}),
        ("the newest 1,000 lines of a stream", 30,
         {"query": '{service_name="coder", service_instance_id="coder-3"}', "start": start, "end": end,
          "limit": 1000, "direction": "backward"}),
    ]  # fmt: skip
    return [
        Question(name, "/loki/api/v1/query_range?" + urlencode(wanted), _count_values, bound_ms)
        for name, bound_ms, wanted in asked
    ]


def _count_values(body: bytes) -> int:
    return sum(len(stream["values"]) for stream in json.loads(body)["data"]["result"])


def measure_logs(n_lines: int, runs: int, settling: Settling, console: Console) -> dict[str, Any]:
    """Take in `n_lines` lines, ask, stop, weigh."""
    console.print(f"{n_lines:,} log lines → swarmscope", style="dim")
    bodies = encode_log_bodies(_BODIES, _LINES_PER_BODY)
    end_ns = time.time_ns()
    rounds = max(1, n_lines // (_BODIES * _LINES_PER_BODY))
    load = OtlpLoad(bodies, rounds, end_ns - 4 * _HOUR_NS, end_ns)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, start(SWARMSCOPE, Path(folder)) as running:
        written = write_load(running, "/v1/logs", load, settling)
        console.print("log queries, disk", style="dim")
        questions = [ask(running, question, runs) for question in log_questions(load)]
        running.process.stop()
        use = measure_disk(running.system, running.data, 0)
        written["bytes_per_record"] = use.total / load.n_records
        written["merged_bytes_per_record"] = use.merged / load.n_records
        written["merged_by_table"] = use.merged_by_table
    return {**written, "questions": questions}
