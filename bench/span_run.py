"""Traces from end to end: taken in over OTLP with metrics derived, weighed and asked over Tempo's API."""

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
from bench.otlp_run import write_load
from bench.otlp_sending import OtlpLoad
from bench.processes import Settling
from bench.running import start
from bench.span_bodies import SPANS_PER_TRACE, SpanBody, encode_span_bodies
from bench.systems import SWARMSCOPE

_NS_PER_S = 1_000_000_000
_HOUR_S = 3600
_TRACES_PER_BODY = 312
_BODIES = 80


def span_questions(bodies: list[SpanBody], start_s: int, end_s: int) -> list[Question]:
    """The four that have bounds."""
    trace = bodies[0].trace_ids[7].tobytes().hex()
    times = {"start": start_s, "end": end_s}
    two = '{ span.gen_ai.request.model = "coder-medium" && span.gen_ai.usage.input_tokens > 11990 }'
    structural = (
        '{ resource.service.name = "gateway" && span.http.response.status_code = 500 } >> '
        "{ span.gen_ai.usage.output_tokens > 1990 }"
    )
    rate = {"q": "{ } | rate() by (resource.service.name)", "start": end_s - _HOUR_S, "end": end_s, "step": "60s"}
    return [
        Question("a trace by its id", f"/tempo/api/v2/traces/{trace}", _count_spans, 15),
        Question("two conditions on attributes", _search(two, times), _count_traces, 150),
        Question("a structural search", _search(structural, times), _count_traces, 400),
        Question("rate by service, 1 h", "/tempo/api/metrics/query_range?" + urlencode(rate), _count_series, 150),
    ]


def _search(query: str, times: dict[str, int]) -> str:
    return "/tempo/api/search?" + urlencode({"q": query, "limit": 20, **times})


def _count_traces(body: bytes) -> int:
    return len(json.loads(body)["traces"])


def _count_series(body: bytes) -> int:
    return len(json.loads(body)["series"])


def _count_spans(body: bytes) -> int:
    groups = json.loads(body)["trace"]["resourceSpans"]
    return sum(len(scope["spans"]) for group in groups for scope in group["scopeSpans"])


def measure_spans(n_spans: int, runs: int, settling: Settling, console: Console) -> dict[str, Any]:
    """Take in `n_spans` spans, ask, stop, weigh."""
    console.print(f"{n_spans:,} spans → swarmscope", style="dim")
    bodies = encode_span_bodies(_BODIES, _TRACES_PER_BODY)
    end_ns = time.time_ns()
    rounds = max(1, round(n_spans / (_BODIES * _TRACES_PER_BODY * SPANS_PER_TRACE)))
    load = OtlpLoad(bodies, rounds, end_ns - _HOUR_S * _NS_PER_S, end_ns)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, start(SWARMSCOPE, Path(folder)) as running:
        written = write_load(running, "/v1/traces", load, settling)
        console.print("trace queries, disk", style="dim")
        times_s = (load.start_ns // _NS_PER_S, load.end_ns // _NS_PER_S + 1)
        questions = [ask(running, question, runs) for question in span_questions(bodies, *times_s)]
        running.process.stop()
        use = measure_disk(running.system, running.data, 0)
    by_table = use.merged_by_table
    of_spans = sum(size for table, size in by_table.items() if table.startswith("span"))
    return {
        **written,
        "questions": questions,
        "bytes_per_record": use.total / load.n_records,
        "merged_bytes_per_record": of_spans / load.n_records,
        "merged_by_table": by_table,
    }
