"""/federate: the newest sample of each chosen series, in the text format or, where the client asks, as protobuf.

A series whose newest sample within the lookback is a staleness marker is left out. Native histograms have no text form
and come as protobuf alone; those with custom buckets have no form in either. In text, names that the classic syntax
cannot say are quoted (`{"gen_ai.tokens",a="b"} 1 1000`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from swarmscope.api.answers import accepts_gzip, plain, to_answer
from swarmscope.api.prometheus.endpoint import Exchange, ReadPath
from swarmscope.api.prometheus.expressions import series_matchers
from swarmscope.api.prometheus.family_messages import (
    GAUGE_HISTOGRAM,
    HISTOGRAM,
    MESSAGE_TYPE,
    UNTYPED,
    delimited_family,
    histogram_metric,
    takes_messages,
    untyped_metric,
)
from swarmscope.api.prometheus.label_sets import label_dicts
from swarmscope.api.remote_read.histogram_spans import HistogramRow, to_row
from swarmscope.lang.promql.go_numbers import text_number
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import Matcher
from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA, ResetHint
from swarmscope.model.series_text import metric_text, series_text
from swarmscope.model.staleness import is_stale
from swarmscope.query.deadlines import Deadline

_TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Newest(NamedTuple):
    """The newest sample of a series: a float, or a histogram where there is one."""

    metric: str
    labels: dict[str, str]
    ts_ms: int
    value: float
    histogram: HistogramRow | None


def federation_routes(path: ReadPath) -> list[BaseRoute]:
    """`<prefix>/federate`."""
    handler = path.counted("/federate", _federate, lambda error: plain(f"{error}\n", error.status))
    return [Route(f"{path.settings.prefix}/federate", handler, methods=["GET"])]


async def _federate(exchange: Exchange) -> Response:
    path, request = exchange.path, exchange.request
    deadline = Deadline(path.settings.query_timeout_s)
    selectors = [series_matchers(text) for text in exchange.parameters.texts("match[]")]
    as_messages = takes_messages(request.headers.get("accept", ""))

    def work() -> Response:
        found: dict[tuple[str, str], _Newest] = {}
        for matchers in selectors:
            deadline.check()
            found.update(_newest_samples(exchange, matchers, deadline))
        samples = [found[key] for key in sorted(found)]
        body, content_type = (_to_messages(samples), MESSAGE_TYPE) if as_messages else (_to_text(samples), _TEXT_TYPE)
        return to_answer([body], content_type, gzip=accepts_gzip(request))

    return await path.queue.run(request, deadline, work)


def _newest_samples(
    exchange: Exchange, matchers: Sequence[Matcher], deadline: Deadline
) -> dict[tuple[str, str], _Newest]:
    """By the metric's name and the text of the series."""
    path, now_ms = exchange.path, exchange.path.now_ms()
    reader, external = path.parts.reader, path.settings.external_labels
    start_ms = now_ms - path.engine_settings.lookback_ms + 1
    budget = ReadBudget(deadline, path.engine_settings.max_samples)
    selection = reader.select_series(exchange.parameters.tenant, matchers, start_ms, now_ms)
    samples = reader.read_samples(selection, start_ms, now_ms, budget)
    owners = np.flatnonzero(np.diff(samples.offsets) > 0)
    last = samples.offsets[owners + 1] - 1
    times_ms = dict(zip(owners.tolist(), samples.ts_ms[last].tolist(), strict=True))
    values = dict(zip(owners.tolist(), samples.value[last].tolist(), strict=True))
    stale = set(owners[is_stale(np.ascontiguousarray(samples.value[last]))].tolist())
    histograms: dict[int, HistogramRow] = {}
    if selection.has_histograms:
        columns = reader.read_histograms(selection, start_ms, now_ms, budget)
        # The newest histogram of a series is its last row, and hides floats before it.
        ends = np.flatnonzero(np.diff(columns.series, append=-1) != 0)
        for row, owner in zip(ends.tolist(), columns.series[ends].tolist(), strict=True):
            if int(columns.ts_ms[row]) <= times_ms.get(owner, -(1 << 62)):
                continue
            times_ms[owner] = int(columns.ts_ms[row])
            histograms[owner] = to_row(columns, row)
            (stale.add if is_stale(columns.sum[row : row + 1])[0] else stale.discard)(owner)
    shown = np.array(sorted(times_ms.keys() - stale), np.int64)
    found: dict[tuple[str, str], _Newest] = {}
    for owner, labels in zip(shown.tolist(), label_dicts(selection.labels, reader.symbols, shown), strict=True):
        metric = labels.pop(METRIC_NAME, "")
        if metric:
            own = {**external, **labels}
            value = values.get(owner, 0.0)
            newest = _Newest(metric, own, times_ms[owner], value, histograms.get(owner))
            found[metric, series_text(metric, own)] = newest
    return found


def _to_text(samples: Sequence[_Newest]) -> bytes:
    pieces: list[str] = []
    last_metric = None
    for metric, labels, ts_ms, value, histogram in samples:
        if histogram is not None:
            continue
        if metric != last_metric:
            pieces.append(f"# TYPE {metric_text(metric)} untyped\n")
            last_metric = metric
        pieces.append(f"{series_text(metric, labels)} {exposition_number(value)} {ts_ms}\n")
    return "".join(pieces).encode()


def _to_messages(samples: Sequence[_Newest]) -> bytes:
    families: dict[tuple[str, int], list[Any]] = {}
    for metric, labels, ts_ms, value, histogram in samples:
        if histogram is None:
            families.setdefault((metric, UNTYPED), []).append(untyped_metric(labels, ts_ms, value))
        elif histogram.schema != CUSTOM_BUCKETS_SCHEMA:
            kind = GAUGE_HISTOGRAM if histogram.reset_hint == ResetHint.GAUGE else HISTOGRAM
            families.setdefault((metric, kind), []).append(histogram_metric(labels, histogram))
    return b"".join(delimited_family(metric, kind, made) for (metric, kind), made in families.items())


def exposition_number(value: float) -> str:
    """The number as Go's %g writes it; the exposition knows no negative zero."""
    return "0" if value == 0 else text_number(value)
