"""Compiles every kernel of LogQL, or loads it from Numba's cache, before the first query needs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import LogReader
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES, LineCounts, LogRows, pack_values
from swarmscope.model.series import ABSENT, LabelFrame, Selection
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.logql.log_answers import LogsRequest
from swarmscope.query.logql.metric_queries import MetricRequest

_GRAIN_NS = 10_000_000_000
_END_NS = 10 * _GRAIN_NS
_LINES = ('{"a":"x\\n","n":1.5,"o":{"b":2}}', '{"a":"y","n":"2"}')
_SYMBOLS = ("app", "shop")
_LOG_QUERIES = (
    '{app="shop"} |= "x" != "z" |~ "[xy]" |> "<_>a<_>" | m="1" or m=~"1|2" | json n="n" | n > 1 | a="x"',
    '{app="shop"} | json | n > 1 or n > 1s or n > 1KB | label_format c=a, d="{{.n}}" | line_format "{{.a}} {{.d}}"',
    '{app="shop"} | json | a="x"',
    '{app="shop"} | logfmt | drop a | keep b',
    '{app="shop"} | logfmt --strict --keep-empty c="a" | c="x" | a=ip("10.0.0.0/8")',
    '{app="shop"} | pattern "<a>:<b>" | b="x" | decolorize',
    '{app="shop"} | regexp "(?P<a>x)" | unpack',
)
_COUNTS = ("count_over_time", "rate", "bytes_over_time", "bytes_rate", "absent_over_time")
_UNWRAPPED = (
    "sum_over_time", "avg_over_time", "min_over_time", "max_over_time", "first_over_time", "last_over_time",
    "stddev_over_time", "stdvar_over_time", "rate", "rate_counter",
)  # fmt: skip
_METRIC_QUERIES = (
    *(f'{call}({{app="shop"}}[30s])' for call in _COUNTS),
    *(f'sum by (m, detected_level) ({call}({{app="shop"}} | json | a!="z" [25s]))' for call in _COUNTS),
    *(f'{call}({{app="shop"}} | json | unwrap n [30s])' for call in _UNWRAPPED),
    'quantile_over_time(0.5, {app="shop"} | json | unwrap duration(n) | __error__="" [30s]) by (a)',
    'max_over_time({app="shop"} | json | unwrap bytes(n) | __error__="" [30s]) by (a)',
)


def warm_up() -> None:
    """Run every stage and every range aggregation over a few lines, from memory that may be written to and that not."""
    for is_frozen in (False, True):
        engine = LogqlEngine(cast("LogReader", _FewLines(is_frozen=is_frozen)))
        for text in _LOG_QUERIES:
            for backward in (False, True):
                engine.query_logs(LogsRequest(text, 0, _END_NS, backward=backward))
        engine.detected_fields(LogsRequest('{app="shop"}', 0, _END_NS), 10)
        for text in _METRIC_QUERIES:
            engine.query_metrics(MetricRequest(text, 0, _END_NS, _GRAIN_NS))


class _Symbols:
    def text(self, code: int) -> str:
        return _SYMBOLS[code]

    def code(self, text: str) -> int:
        return _SYMBOLS.index(text) if text in _SYMBOLS else ABSENT


class _FewLines:
    """As much of a LogReader as queries ask: one stream, and its lines whatever the request is."""

    symbols = _Symbols()
    count_grain_ns = _GRAIN_NS

    def __init__(self, *, is_frozen: bool) -> None:
        """`is_frozen`: texts lie in memory that may not be written to, as what ClickHouse sent does."""
        n_lines = len(_LINES)
        values = Utf8Column.from_strings(["1", "2"])
        packed = Utf8Column(*pack_values(np.arange(n_lines + 1), values.buffer, values.start, values.length))
        self._rows = LogRows(
            stream=np.zeros(n_lines, np.int64),
            ts_ns=_GRAIN_NS * np.arange(1, n_lines + 1),
            line=_placed(Utf8Column.from_strings(_LINES), is_frozen),
            shape=np.zeros(n_lines, np.int64),
            metadata=_placed(packed, is_frozen),
            level=np.ones(n_lines, np.uint8),
            severity=np.ones(n_lines, np.uint8),
            observed_ns=np.ones(n_lines, np.int64),
            trace_id=np.ones((n_lines, TRACE_ID_BYTES), np.uint8),
            span_id=np.ones((n_lines, SPAN_ID_BYTES), np.uint8),
        )

    def select_streams(self, *_: object) -> Selection:
        return Selection(np.zeros(1, np.int64), LabelFrame(("app",), np.ones((1, 1), np.int32)))

    def metadata_names(self) -> frozenset[str]:
        return frozenset("m")

    def shape_names(self, shape: int) -> tuple[str, ...]:
        return ("m",)

    def scan_lines(self, *_: object) -> Iterator[LogRows]:
        yield self._rows

    def walk_lines(self, *_: object, **__: object) -> Iterator[LogRows]:
        yield self._rows

    def count_lines(self, *_: object) -> LineCounts:
        ones: NDArray[np.int64] = np.ones(1, np.int64)
        return LineCounts(np.zeros(1, np.int64), np.ones(1, np.uint8), _GRAIN_NS * ones, ones, ones)


def _placed(texts: Utf8Column, is_frozen: bool) -> Utf8Column:
    buffer = texts.buffer.copy()
    buffer.flags.writeable = not is_frozen
    return Utf8Column(buffer, texts.start, texts.length)
