"""Jaeger's and Zipkin's API over spans in memory, and metrics of spans that a test writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute
from tests.api.served import MemoryReader

from swarmscope.api.parts import RequestRecord
from swarmscope.api.traces.parts import TraceApiParts, TraceApiSettings
from swarmscope.api.work import QueryQueue
from swarmscope.query.promql import PromqlEngine
from swarmscope.testing.memory_span_reader import MemorySpanReader
from swarmscope.testing.plain_spans import PlainSpan

S = 1_000_000_000
NOW_NS = 1_700_000_000 * S


class FixedClock:
    def now_ns(self) -> int:
        return NOW_NS


@dataclass
class Served:
    spans: MemorySpanReader
    metrics: MemoryReader
    app: Starlette
    records: list[RequestRecord]


def serve(
    routes: Callable[[TraceApiParts], list[BaseRoute]], prefix: str, spans: Sequence[PlainSpan] = (), **options: Any
) -> Served:
    """One API at its prefix. `obeys_hints`, `ready` and `reader` (another one) are options; others are settings."""
    pool = ThreadPoolExecutor(2)
    reader = MemorySpanReader(spans, batch_spans=3, obeys_hints=options.pop("obeys_hints", True))
    asked = options.pop("reader", reader)
    metrics, records, ready = MemoryReader(), list[RequestRecord](), options.pop("ready", True)

    async def run(work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    parts = TraceApiParts(
        reader=asked,
        metrics=PromqlEngine(metrics),
        clock=FixedClock(),
        queue=QueryQueue(run, 4),
        settings=TraceApiSettings(prefix, **options),
        is_ready=lambda: ready,
        on_request=records.append,
    )
    return Served(reader, metrics, Starlette(routes=routes(parts)), records)
