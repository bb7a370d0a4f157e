"""An API over a tiny in-memory reader and the real engine, served."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from starlette.applications import Starlette

from swarmscope.api.application import create_app
from swarmscope.api.parts import ApiParts, ApiSettings, RequestRecord
from swarmscope.model.contracts import Exemplars, MetricMetadata, ReadBudget
from swarmscope.model.errors import LimitExceededError, UnavailableError
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.metrics import HistogramColumns
from swarmscope.model.series import ABSENT, LabelFrame, SampleColumns, Selection
from swarmscope.query.promql import EngineSettings, PromqlEngine, QueryRequest, QueryResult

NOW_MS = 1_700_000_000_000


def refusals() -> list[tuple[str, str, str]]:
    """(version or "", request, message) of each line of refusals.txt."""
    found = []
    for line in (Path(__file__).parent / "refusals.txt").read_text().splitlines():
        if not line.startswith("#"):
            since, rest = ("3.x", line[4:]) if line.startswith("3.x ") else ("", line)
            target, message = rest.split(maxsplit=1)
            found.append((since, target, message))
    return found


class Symbols:
    def __init__(self) -> None:
        self.texts: list[str] = []
        self.codes: dict[str, int] = {}

    def text(self, code: int) -> str:
        if code < 0:
            raise IndexError(code)
        return self.texts[code]

    def code(self, text: str) -> int:
        return self.codes.get(text, ABSENT)

    def add(self, text: str) -> int:
        if text not in self.codes:
            self.codes[text] = len(self.texts)
            self.texts.append(text)
        return self.codes[text]


def passes(matcher: Matcher, labels: Mapping[str, str]) -> bool:
    value = labels.get(matcher.name, "")
    match matcher.operator:
        case MatchOperator.EQUAL:
            return value == matcher.value
        case MatchOperator.NOT_EQUAL:
            return value != matcher.value
        case MatchOperator.REGEX:
            return bool(re.fullmatch(matcher.value, value))
        case MatchOperator.NOT_REGEX:
            return not re.fullmatch(matcher.value, value)


@dataclass
class MemoryReader:
    """Series as Python lists."""

    series: list[tuple[dict[str, str], list[tuple[int, float]]]] = field(default_factory=list)
    exemplars: dict[int, list[tuple[int, float, dict[str, str]]]] = field(default_factory=dict)
    families: dict[str, list[MetricMetadata]] = field(default_factory=dict)
    histograms: HistogramColumns | None = None  # `series` counts in `self.series`
    symbols: Symbols = field(default_factory=Symbols)

    def add(self, labels: dict[str, str], *points: tuple[int, float]) -> int:
        self.series.append((labels, list(points)))
        return len(self.series) - 1

    @property
    def rollup_resolutions_ms(self) -> tuple[int, ...]:
        return ()

    def _chosen(self, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> list[int]:
        held = set() if self.histograms is None else set(self.histograms.series.tolist())
        return [
            ref
            for ref, (labels, points) in enumerate(self.series)
            if all(passes(matcher, labels) for matcher in matchers)
            and (ref in held or any(start_ms <= ts <= end_ms for ts, _ in points))
        ]

    def select_series(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> Selection:
        if tenant == "broken":
            raise UnavailableError("the store is starting")
        refs = self._chosen(matchers, start_ms, end_ms) if tenant == "default" else []
        names = sorted({name for ref in refs for name in self.series[ref][0]}, reverse=True)
        codes = np.full((len(names), len(refs)), ABSENT, np.int32)
        for column, ref in enumerate(refs):
            for row, name in enumerate(names):
                if name in self.series[ref][0]:
                    codes[row, column] = self.symbols.add(self.series[ref][0][name])
        return Selection(np.array(refs, np.int64), LabelFrame(tuple(names), codes), self.histograms is not None)

    def read_samples(self, selection: Selection, start_ms: int, end_ms: int, budget: ReadBudget) -> SampleColumns:
        kept = [[p for p in self.series[ref][1] if start_ms <= p[0] <= end_ms] for ref in selection.refs.tolist()]
        flat = [point for points in kept for point in points]
        budget.used_samples += len(flat)
        if budget.used_samples > budget.max_samples:
            raise LimitExceededError("query processing would load too many samples into memory", limit="max_samples")
        offsets = np.cumsum([0, *map(len, kept)], dtype=np.int64)
        return SampleColumns(offsets, np.array([t for t, _ in flat], np.int64), np.array([v for _, v in flat]))

    def read_histograms(self, selection: Selection, start_ms: int, end_ms: int, budget: ReadBudget) -> HistogramColumns:
        assert self.histograms is not None
        place = {ref: at for at, ref in enumerate(selection.refs.tolist())}
        owners = [place.get(ref) for ref in self.histograms.series.tolist()]
        if None in owners:  # the tests hold one histogram series: all of it is asked for, or none
            return HistogramColumns.empty()
        return replace(self.histograms, series=np.array(owners, np.int64))

    def read_exemplars(self, selection: Selection, start_ms: int, end_ms: int) -> Exemplars:
        found = {}
        for place, ref in enumerate(selection.refs.tolist()):
            found[place] = [one for one in self.exemplars.get(ref, []) if start_ms <= one[0] <= end_ms]
        return Exemplars(found)

    def _labels(self, matchers: Sequence[Sequence[Matcher]], start_ms: int, end_ms: int) -> list[dict[str, str]]:
        refs = {ref for one in matchers or [()] for ref in self._chosen(one, start_ms, end_ms)}
        return [self.series[ref][0] for ref in refs]

    def label_names(self, tenant: str, matchers: Any, start_ms: int, end_ms: int) -> list[str]:
        return sorted({name for labels in self._labels(matchers, start_ms, end_ms) for name in labels})

    def label_values(self, tenant: str, name: str, matchers: Any, start_ms: int, end_ms: int) -> list[str]:
        return sorted({labels[name] for labels in self._labels(matchers, start_ms, end_ms) if name in labels})

    def metadata(self, tenant: str) -> dict[str, list[MetricMetadata]]:
        return self.families


class WatchedEngine(PromqlEngine):
    """The real engine, watched; the query `spin` works until it is told to stop."""

    def __init__(self, reader: MemoryReader, settings: EngineSettings) -> None:
        super().__init__(reader, settings)
        self.ended: list[str] = []
        self.asked: list[QueryRequest] = []

    def query_instant(self, request: QueryRequest) -> QueryResult:
        self.asked.append(request)
        if request.text == "spin":
            self._spin(request)
        return super().query_instant(request)

    def _spin(self, request: QueryRequest) -> None:
        try:
            while True:
                request.cancellation.check()
                time.sleep(0.005)
        except Exception as error:
            self.ended.append(type(error).__name__)
            raise


class FixedClock:
    def now_ns(self) -> int:
        return NOW_MS * 1_000_000


class Status:
    def config_yaml(self) -> str:
        return "storage: {}\n"

    def flags(self) -> Mapping[str, str]:
        return {"port": "4600"}

    def runtime_info(self) -> Mapping[str, Any]:
        return {"storageRetention": "90d"}

    def storage_stats(self, tenant: str, limit: int) -> Mapping[str, Any]:
        return {"headStats": {"numSeries": 3}, "seriesCountByMetricName": [{"name": "up", "value": 3}][:limit]}


class Targets:
    def active_targets(self) -> Sequence[Mapping[str, Any]]:
        return [{"scrapePool": "a", "labels": {"job": "a"}, "health": "up"}, {"scrapePool": "b", "labels": {}}]

    def dropped_targets(self) -> Sequence[Mapping[str, Any]]:
        return [{"scrapePool": "a", "discoveredLabels": {"x": "y"}}]

    def scrape_pools(self) -> Sequence[str]:
        return ["b", "a"]

    def target_metadata(self) -> Sequence[Mapping[str, Any]]:
        entry = {"type": "gauge", "help": "h", "unit": ""}
        return [
            {"target": {"job": "a"}, "metric": "up", **entry},
            {"target": {"job": "a"}, "metric": "down", **entry},
            {"target": {"job": "b"}, "metric": "up", **entry},
        ]


class Admin:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []

    def delete_series(self, tenant: str, matchers: Sequence[Matcher], start_ms: int, end_ms: int) -> None:
        self.calls.append(("delete", tenant, [str(m) for m in matchers], start_ms, end_ms))

    def clean_tombstones(self) -> None:
        self.calls.append(("clean",))

    def snapshot(self, *, skip_head: bool) -> str:
        self.calls.append(("snapshot", skip_head))
        return "20231114T221320Z-1"


@dataclass
class Served:
    """All the pieces of one API under test."""

    reader: MemoryReader
    engine: WatchedEngine
    records: list[RequestRecord]
    app: Starlette
    ready: list[bool]
    admin: Admin


def serve(
    reader: MemoryReader,
    *,
    admin: bool = False,
    targets: bool = True,
    rules: Any = None,
    engine_settings: EngineSettings | None = None,
    **settings: Any,
) -> Served:
    pool = ThreadPoolExecutor(4)
    records: list[RequestRecord] = []
    ready = [True]
    engine = WatchedEngine(reader, engine_settings or EngineSettings())
    administration = Admin()

    async def run(work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    parts = ApiParts(
        engine=engine,
        reader=reader,
        clock=FixedClock(),
        run=run,
        is_ready=lambda: ready[0],
        status=Status(),
        exposition=lambda accept: (b"own_metric 1\n", "text/plain; version=0.0.4; charset=utf-8"),
        targets=Targets() if targets else None,
        rules=rules,
        admin=administration if admin else None,
        on_request=records.append,
        settings=ApiSettings(**settings),
    )
    return Served(reader, engine, records, create_app(parts), ready, administration)


@contextlib.contextmanager
def listening(app: Starlette) -> Iterator[str]:
    """The app on a free port of this machine; yields its address."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off", loop="uvloop", http="httptools"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [held]}, daemon=True)
        thread.start()
        try:
            deadline = time.monotonic() + 10
            while not server.started:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            yield f"http://127.0.0.1:{held.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join(10)
