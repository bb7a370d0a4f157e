"""Loki's API over lines in memory."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette

from swarmscope.api.loki.parts import LokiParts, LokiSettings
from swarmscope.api.loki.routes import loki_routes
from swarmscope.api.parts import RequestRecord
from swarmscope.api.work import QueryQueue
from swarmscope.model.logs import LogRows
from swarmscope.model.matchers import Matcher
from swarmscope.model.series import Selection
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.logql.settings import LogqlSettings
from swarmscope.testing.memory_log_reader import MemoryLogReader

S = 1_000_000_000
NOW_NS = 1_700_000_000 * S


class FixedClock:
    def now_ns(self) -> int:
        return NOW_NS


@dataclass
class Admin:
    calls: list[tuple[Any, ...]] = field(default_factory=list)

    def delete_lines(self, tenant: str, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> None:
        self.calls.append((tenant, [str(each) for each in matchers], start_ns, end_ns))

    def delete_rows(self, selection: Selection, batches: Iterable[LogRows]) -> int:
        texts = [text for rows in batches for text in rows.line.to_strings()]
        self.calls.append(tuple(texts))
        return len(texts)


@dataclass
class Served:
    reader: MemoryLogReader
    app: Starlette
    admin: Admin
    records: list[RequestRecord]


def serve(*, admin: bool = False, ready: bool = True, engine: dict[str, Any] | None = None, **settings: Any) -> Served:
    """The API over an empty reader."""
    pool = ThreadPoolExecutor(4)
    reader, administration, records = MemoryLogReader(), Admin(), list[RequestRecord]()

    async def run(work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    parts = LokiParts(
        engine=LogqlEngine(reader, LogqlSettings(**(engine or {}))),
        reader=reader,
        clock=FixedClock(),
        run=run,
        queue=QueryQueue(run, 4),
        is_ready=lambda: ready,
        admin=administration if admin else None,
        on_request=records.append,
        settings=LokiSettings(tail_pause_s=0.01, **settings),
    )
    return Served(reader, Starlette(routes=loki_routes(parts)), administration, records)
