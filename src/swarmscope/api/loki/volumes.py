"""/index/stats, /index/volume, /index/volume_range, /index/shards: how much there is, without reading lines.

Counts are kept by stream and bucket of time, so times are rounded to whole buckets outwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray
from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.answers import envelope
from swarmscope.api.loki.endpoint import LokiExchange, LokiPath, refuse
from swarmscope.api.loki.parameters import limit_of, ordered_range_of, range_of, step_of
from swarmscope.api.number_text import timestamp_text
from swarmscope.api.request_times import TimeRange
from swarmscope.model.logs import LineCounts
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.series import ABSENT, Selection
from swarmscope.query.deadlines import Deadline

MAX_VOLUMES = 1000  # Loki's `volume_max_series`
_MAX_STEPS = 11_000
_NS_PER_MS = 1_000_000


class Volumes(NamedTuple):
    """Bytes by label set and step."""

    labels: list[dict[str, str]]  # [n_sets]
    bytes: NDArray[np.int64]  # [n_sets, n_steps]


def volume_routes(path: LokiPath) -> list[BaseRoute]:
    """The endpoints about amounts."""
    return [
        path.route("/api/v1/index/stats", _stats),
        path.route("/api/v1/index/volume", _volume),
        path.route("/api/v1/index/volume_range", _volume_range),
        path.route("/api/v1/index/shards", _shards),
    ]


def _count(
    exchange: LokiExchange, matchers: Sequence[Matcher], span: TimeRange, deadline: Deadline
) -> tuple[Selection, LineCounts]:
    reader = exchange.path.parts.reader
    grain_ns = reader.count_grain_ns
    whole = (span.start_ns // grain_ns * grain_ns, -(-span.end_ns // grain_ns) * grain_ns)
    selection = reader.select_streams(exchange.parameters.tenant, matchers, *whole)
    return selection, reader.count_lines(selection, whole, exchange.budget(deadline))


async def _stats(exchange: LokiExchange) -> Response:
    span, matchers = range_of(exchange.parameters, exchange.now_ns), exchange.selector()

    def make(deadline: Deadline) -> Sequence[bytes]:
        return [orjson.dumps(_totals(_count(exchange, matchers, span, deadline)[1]))]

    return await exchange.chunks(make)


def _totals(counts: LineCounts) -> dict[str, int]:
    """Streams, entries and bytes; a chunk is a stream's bucket here."""
    chunks = np.unique(np.stack([counts.stream, counts.bucket_ns]), axis=1).shape[1] if len(counts.stream) else 0
    return {
        "streams": len(np.unique(counts.stream)),
        "chunks": chunks,
        "bytes": int(counts.bytes.sum()),
        "entries": int(counts.lines.sum()),
    }


async def _shards(exchange: LokiExchange) -> Response:
    """One shard: the store divides the work itself."""
    span, matchers = range_of(exchange.parameters, exchange.now_ns), exchange.selector()

    def make(deadline: Deadline) -> Sequence[bytes]:
        totals = _totals(_count(exchange, matchers, span, deadline)[1])
        bounds = {"min": 0, "max": 18446744073709551615}
        return [orjson.dumps({"shards": [{"bounds": bounds, "stats": totals}], "statistics": {}})]

    return await exchange.chunks(make)


async def _volume(exchange: LokiExchange) -> Response:
    span = ordered_range_of(exchange.parameters, exchange.now_ns)
    ask = _question(exchange)

    def make(deadline: Deadline) -> Sequence[bytes]:
        found = _volumes(exchange, ask, span, span.end_ns - span.start_ns, deadline)
        time_s = span.end_ns // _NS_PER_MS / 1000
        result = [
            {"metric": labels, "value": [time_s, str(total)]}
            for labels, total in zip(found.labels, found.bytes.sum(axis=1).tolist(), strict=True)
        ]
        return envelope([orjson.dumps({"resultType": "vector", "result": result, "stats": {}})])

    return await exchange.chunks(make)


async def _volume_range(exchange: LokiExchange) -> Response:
    span = ordered_range_of(exchange.parameters, exchange.now_ns)
    step_ns = step_of(exchange.parameters, span)
    if (span.end_ns - span.start_ns) // step_ns > _MAX_STEPS:
        raise refuse(
            "exceeded maximum resolution of 11,000 points per time series. "
            "Try increasing the value of the step parameter"
        )
    ask = _question(exchange)

    def make(deadline: Deadline) -> Sequence[bytes]:
        found = _volumes(exchange, ask, span, step_ns, deadline)
        times = [
            timestamp_text((span.start_ns + step_ns * (k + 1)) // _NS_PER_MS).encode()
            for k in range(found.bytes.shape[1])
        ]
        elements = []
        for labels, row in zip(found.labels, found.bytes, strict=True):
            there = np.flatnonzero(row)
            points = [b'[%b,"%d"]' % (times[k], row[k]) for k in there.tolist()]
            elements.append(b'{"metric":%b,"values":[%b]}' % (orjson.dumps(labels), b",".join(points)))
        return envelope([b'{"resultType":"matrix","result":[', b",".join(elements), b'],"stats":{}}'])

    return await exchange.chunks(make)


class _Question(NamedTuple):
    matchers: tuple[Matcher, ...]
    names: tuple[str, ...]  # labels to group by, () for all of a stream's
    by_label: bool  # a volume for each label name instead of each set of values
    limit: int


def _question(exchange: LokiExchange) -> _Question:
    parameters = exchange.parameters
    matchers = exchange.selector()
    targets = tuple(name for name in parameters.text("targetLabels").split(",") if name)
    aggregate = parameters.text("aggregateBy", "series") or "series"
    if aggregate not in ("series", "labels"):
        raise refuse(f"invalid aggregation option {aggregate!r}: must be one of series, labels")
    limit = min(limit_of(parameters), MAX_VOLUMES)
    named = tuple(dict.fromkeys(matcher.name for matcher in matchers))
    # A target label that the selector does not name has to be there.
    required = tuple(Matcher(name, MatchOperator.REGEX, ".+") for name in targets if name not in named)
    is_by_label = aggregate == "labels"
    names = targets or (() if is_by_label else named)
    return _Question((*matchers, *required), names, is_by_label, limit)


def _volumes(exchange: LokiExchange, ask: _Question, span: TimeRange, step_ns: int, deadline: Deadline) -> Volumes:
    """The largest volumes first, at most `limit`."""
    selection, counts = _count(exchange, ask.matchers, span, deadline)
    n_steps = max(1, -(-(span.end_ns - span.start_ns) // step_ns))
    step = np.clip((counts.bucket_ns - 1 - span.start_ns) // step_ns, 0, n_steps - 1)
    sets, owner, stream = _groups(exchange, ask, selection)
    by_stream = np.zeros((len(selection.refs), n_steps), np.int64)
    np.add.at(by_stream, (counts.stream, step), counts.bytes)
    volumes = np.zeros((len(sets), n_steps), np.int64)
    np.add.at(volumes, owner, by_stream[stream])
    totals = volumes.sum(axis=1)
    keys = [tuple(sorted(labels.items())) for labels in sets]
    order = sorted(np.flatnonzero(totals).tolist(), key=lambda at: (-totals[at], keys[at]))[: ask.limit]
    return Volumes([sets[at] for at in order], volumes[order])


def _groups(
    exchange: LokiExchange, ask: _Question, selection: Selection
) -> tuple[list[dict[str, str]], NDArray[np.int64], NDArray[np.int64]]:
    """Label sets, and pairs of (set, stream) that say whose bytes count where."""
    text = exchange.path.parts.reader.symbols.text
    frame = selection.labels
    rows = [k for k, name in enumerate(frame.names) if not ask.names or name in ask.names]
    codes = frame.codes[rows]
    if ask.by_label:
        owner, stream = np.nonzero(codes != ABSENT)
        return [{frame.names[k]: ""} for k in rows], owner, stream
    if not codes.size:  # no stream has any of the labels: all of them are one
        return [{}], np.zeros(len(selection.refs), np.int64), np.arange(len(selection.refs))
    distinct, owner = np.unique(codes, axis=1, return_inverse=True)
    sets = [
        {frame.names[k]: text(code) for k, code in sorted(zip(rows, column, strict=True), key=lambda each: each[0])
         if code != ABSENT}
        for column in distinct.T.tolist()
    ]  # fmt: skip
    return sets, owner.reshape(-1), np.arange(len(selection.refs))
