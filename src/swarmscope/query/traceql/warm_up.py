"""Compiles every kernel of TraceQL, or loads it from Numba's cache, before the first query needs it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind, bytes_column, spell_scalar
from swarmscope.model.contracts import ReadBudget, SpanReader
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.spans import Events, Links, Resources, Scopes, SpanCounts, SpanDetails, SpanRequest, SpanRows
from swarmscope.query.traceql.engine import TraceqlEngine
from swarmscope.query.traceql.metric_requests import MetricsRequest
from swarmscope.query.traceql.search import SearchRequest

_Any = TypeVar("_Any", bound=np.generic)
_N = 4
_END_NS = 10
_ARRAY = bytes.fromhex("0a030a01610a021802")  # an ArrayValue: "a" and 2
_VALUES = ("a", 2, 0.5, True)  # of every attribute, span by span; with an array for the last where it is named so
_SEARCHES = (
    '{ name = "a" && .x != 2 && span.x > 0.5 && resource.x =~ "a|b" && duration < 1s || event.x = link.x }',
    '{ .x > span.array && span.array = "a" && instrumentation.x = 2 && event:name = "a" && span:id != link:spanID }',
    "{ event.x = span.array }",
    '{ traceDuration > 0s && rootName = "a" && childCount = 1 && nestedSetLeft > 0 && parent.x = 2 || span.x < "b" }',
    "{ } | by(span.x) | count() > 0 | coalesce()",
    *(f'{{ }} | by(span.x) | {{ }} {op} {{ name = "a" }}' for op in (">", "<", ">>", "<<", "~")),
    *(f'{{ }} {op} {{ name = "a" }}' for op in ("&&", ">>", "<<", "!~", "&>")),
)
_METRICS = (
    "{ } | rate() by (resource.x)",
    "{ } | max_over_time(span.x) by (name)",
    "{ } | quantile_over_time(duration, 0.5)",
    "{ } >> { } | min_over_time(duration)",
    "{ } | compare({ span.x = 2 })",
)


def warm_up() -> None:
    """Run queries with every kind of field over a few spans, in memory that may be written to and that not."""
    for is_frozen in (False, True):
        engine = TraceqlEngine(cast("SpanReader", _FewSpans(is_frozen=is_frozen)))
        for text in _SEARCHES:
            engine.search(SearchRequest(text, 0, _END_NS, 1, 1, ""), _budget())
        for text in _METRICS:
            engine.metrics(MetricsRequest(text, 0, _END_NS, 1, ""), _budget())


class _Unending:
    remaining_s = math.inf

    def check(self) -> None:
        """Never raises."""


def _budget() -> ReadBudget:
    return ReadBudget(_Unending(), 1 << 40)


class _FewSpans:
    """As much of a `SpanReader` as queries ask for: one trace, whatever is asked."""

    def __init__(self, *, is_frozen: bool) -> None:
        self._is_frozen = is_frozen

    def resources(self) -> Resources:
        return Resources(self._sets(1), self._texts(1), np.zeros(1, np.uint32))

    def scopes(self) -> Scopes:
        return Scopes(self._texts(1), self._texts(1), self._sets(1), self._texts(1), np.zeros(1, np.uint32))

    def scan_spans(self, tenant: str, request: SpanRequest, budget: ReadBudget) -> Iterator[SpanRows]:
        yield self._rows(request)

    def count_spans(self, tenant: str, start_ns: int, steps: tuple[int, int], budget: ReadBudget) -> SpanCounts:
        return SpanCounts(np.zeros(1, np.int64), np.zeros(1, np.int64), np.ones(1), 1)

    def walk_spans(
        self, tenant: str, request: SpanRequest, budget: ReadBudget, *, batch_spans: int
    ) -> Iterator[SpanRows]:
        yield self._rows(request)

    def find_traces(
        self, tenant: str, trace_ids: NDArray[np.uint8], budget: ReadBudget, request: SpanRequest
    ) -> SpanRows:
        return self._rows(request)

    def _rows(self, request: SpanRequest) -> SpanRows:
        numbers = np.arange(_N, dtype=np.int64)
        ids = np.zeros((_N, SPAN_ID_BYTES), np.uint8)
        ids[:, 0] = numbers
        offsets, none = np.arange(_N + 1, dtype=np.int64), np.zeros(_N, np.uint32)
        kinds = self._kept(np.ones(_N, np.uint8))
        return SpanRows(
            resource=self._kept(np.zeros(_N, np.int64)),
            trace_id=self._kept(np.ones((_N, TRACE_ID_BYTES), np.uint8)),
            start_ns=self._kept(numbers + 1),
            weight=self._kept(np.ones(_N, np.float32)),
            duration_ns=self._kept(numbers),
            span_id=self._kept(ids),
            parent_id=self._kept(np.roll(ids, 1, axis=0)),
            kind=kinds,
            status=kinds,
            name=self._texts(_N),
            status_message=self._texts(_N),
            scope=self._kept(np.zeros(_N, np.int64)),
            attributes=tuple(self._values(_N, has_array=name == "array") for name in request.attributes),
            events=Events(offsets, numbers, self._texts(_N), self._sets(_N), none),
            links=Links(
                offsets, np.ones((_N, TRACE_ID_BYTES), np.uint8), ids, self._texts(_N), self._sets(_N), none, none
            ),
            details=SpanDetails(none, none, none, none, self._texts(_N), self._sets(_N), kinds),
        )

    def _kept(self, array: NDArray[_Any]) -> NDArray[_Any]:
        array.setflags(write=not self._is_frozen)
        return array

    def _texts(self, n: int) -> Utf8Column:
        return self._column([b"a"] * n)

    def _column(self, texts: list[bytes]) -> Utf8Column:
        column = bytes_column(texts)
        buffer = column.buffer if self._is_frozen else column.buffer.copy()
        return Utf8Column(buffer, column.start, column.length)

    def _values(self, n: int, *, has_array: bool = False) -> ValueColumn:
        spelled = [spell_scalar(value) for value in _VALUES[:n]]
        if has_array:
            spelled[-1] = (ValueKind.ARRAY, _ARRAY)
        return ValueColumn(
            np.array([kind for kind, _ in spelled], np.uint8), self._column([text for _, text in spelled])
        )

    def _sets(self, n: int) -> AttributeSets:
        return AttributeSets(np.arange(n + 1, dtype=np.int64), self._column([b"x"] * n), self._values(n))
