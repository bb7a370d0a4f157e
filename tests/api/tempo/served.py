"""Tempo's API over spans in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from starlette.applications import Starlette

from swarmscope.api.parts import RequestRecord
from swarmscope.api.tempo.parts import TempoParts, TempoSettings
from swarmscope.api.tempo.routes import tempo_routes
from swarmscope.api.work import QueryQueue
from swarmscope.query.traceql.engine import TraceqlEngine
from swarmscope.query.traceql.settings import TraceqlSettings
from swarmscope.testing.memory_span_reader import MemorySpanReader
from swarmscope.testing.plain_spans import PlainEvent, PlainLink, PlainScope, PlainSpan, span_id, trace_id

S = 1_000_000_000
MS = 1_000_000
NOW_NS = 1_700_000_000 * S
SHOP = {"service.name": "shop", "region": "eu"}
BANK = {"service.name": "bank"}
# Ids that are easy to recognise in hexadecimal and in base64.
ORDER, SLOW, OLD = bytes(range(1, 17)), trace_id(0xABC), trace_id(7)


class FixedClock:
    def now_ns(self) -> int:
        return NOW_NS


@dataclass
class Served:
    reader: MemorySpanReader
    app: Starlette
    records: list[RequestRecord]


def spans() -> list[PlainSpan]:
    """An order of four spans 20 s ago, a slow one 10 s ago, an old one of last week."""
    order_ns = NOW_NS - 20 * S
    scope = PlainScope("lib", "1.2", {"tier": "gold"}, "https://scope", 1)
    return [
        PlainSpan(
            ORDER, span_id(1), "order", order_ns, order_ns + 300 * MS, kind=2, resource=SHOP, scope=scope,
            attributes={"http.method": "POST", "items": 3, "paid": True, "ratio": 0.5},
            events=[PlainEvent(order_ns + MS, "cached", {"hit": False}, 2)],
            links=[PlainLink(SLOW, span_id(9), "a=b", {"why": "retry"}, 1, 1)],
            trace_state="x=y", flags=257, dropped_attributes=1, dropped_events=2, dropped_links=3,
            resource_schema_url="https://resource",
        ),
        PlainSpan(ORDER, span_id(2), "charge", order_ns + 10 * MS, order_ns + 210 * MS, span_id(1), 3, resource=SHOP),
        PlainSpan(
            ORDER, span_id(3), "POST /charge", order_ns + 20 * MS, order_ns + 200 * MS, span_id(2), 2, 2,
            "card refused", {"http.method": "POST", "http.status_code": 402}, BANK,
        ),
        PlainSpan(ORDER, span_id(4), "audit", order_ns + 30 * MS, order_ns + 31 * MS, span_id(3), resource=BANK),
        PlainSpan(
            SLOW, span_id(5), "list", NOW_NS - 10 * S, NOW_NS - 8 * S, kind=2, resource=SHOP,
            attributes={"http.method": "GET"},
        ),
        PlainSpan(OLD, span_id(6), "ancient", NOW_NS - 7 * 86_400 * S, NOW_NS - 7 * 86_400 * S + MS, resource=BANK),
    ]  # fmt: skip


def serve(*, ready: bool = True, engine: dict[str, Any] | None = None, **settings: Any) -> Served:
    """The API over `spans()`."""
    pool = ThreadPoolExecutor(4)
    reader, records = MemorySpanReader(spans()), list[RequestRecord]()

    async def run(work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    parts = TempoParts(
        engine=TraceqlEngine(reader, TraceqlSettings(**(engine or {}))),
        reader=reader,
        clock=FixedClock(),
        run=run,
        queue=QueryQueue(run, 4),
        is_ready=lambda: ready,
        on_request=records.append,
        settings=TempoSettings(**settings),
    )
    return Served(reader, Starlette(routes=tempo_routes(parts)), records)
