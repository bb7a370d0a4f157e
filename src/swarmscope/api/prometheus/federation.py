"""/federate: the newest sample of each chosen series, in the text exposition format.

A series whose newest sample within the lookback is a staleness marker is left out; native histograms have no text form
and are left out too. Names that the classic syntax cannot say are quoted (`{"gen_ai.tokens",a="b"} 1 1000`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from swarmscope.api.answers import accepts_gzip, plain, to_answer
from swarmscope.api.deadlines import Deadline
from swarmscope.api.failures import note_failure
from swarmscope.api.parameters import read_parameters
from swarmscope.api.prometheus.endpoint import ReadPath
from swarmscope.api.prometheus.expressions import series_matchers
from swarmscope.api.prometheus.label_sets import label_dicts
from swarmscope.lang.promql.go_numbers import text_number
from swarmscope.model.contracts import ReadBudget
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import Matcher
from swarmscope.model.staleness import is_stale

_CLASSIC_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_CLASSIC_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_TEXT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def federation_routes(path: ReadPath) -> list[BaseRoute]:
    """`<prefix>/federate`."""

    async def federate(request: Request) -> Response:
        deadline = Deadline(path.settings.query_timeout_s)
        try:
            parameters = await read_parameters(request)
            selectors = [series_matchers(text) for text in parameters.texts("match[]")]
            return await path.queue.run(
                request, deadline, lambda: _answer(path, request, parameters.tenant, selectors, deadline)
            )
        except Exception as error:
            known = note_failure(error, "/federate")
            return plain(f"{known}\n", known.status)

    return [Route(f"{path.settings.prefix}/federate", federate, methods=["GET"])]


def _answer(
    path: ReadPath, request: Request, tenant: str, selectors: Sequence[Sequence[Matcher]], deadline: Deadline
) -> Response:
    lines: dict[tuple[str, str], str] = {}
    for matchers in selectors:
        deadline.check()
        lines.update(_newest_lines(path, tenant, matchers, deadline))
    pieces: list[str] = []
    last_metric = None
    for (metric, labels), ending in sorted(lines.items()):
        if metric != last_metric:
            pieces.append(f"# TYPE {metric if _CLASSIC_METRIC.fullmatch(metric) else _quoted(metric)} untyped\n")
            last_metric = metric
        pieces.append(labels + ending)
    return to_answer(["".join(pieces).encode()], _TEXT_TYPE, gzip=accepts_gzip(request))


def _newest_lines(
    path: ReadPath, tenant: str, matchers: Sequence[Matcher], deadline: Deadline
) -> dict[tuple[str, str], str]:
    """The metric's name and the line's left part, to its right part."""
    reader, settings = path.parts.reader, path.settings
    now_ms = path.now_ms()
    start_ms = now_ms - path.engine_settings.lookback_ms + 1
    selection = reader.select_series(tenant, matchers, start_ms, now_ms)
    samples = reader.read_samples(selection, start_ms, now_ms, ReadBudget(deadline, path.engine_settings.max_samples))
    filled = np.flatnonzero(np.diff(samples.offsets) > 0)
    newest = samples.offsets[filled + 1] - 1
    alive = ~is_stale(np.ascontiguousarray(samples.value[newest]))
    filled, newest = filled[alive], newest[alive]
    values = map(exposition_number, samples.value[newest].tolist())
    times = samples.ts_ms[newest].tolist()
    lines: dict[tuple[str, str], str] = {}
    for labels, value, ts_ms in zip(label_dicts(selection.labels, reader.symbols, filled), values, times, strict=True):
        metric = labels.pop(METRIC_NAME, "")
        if metric:
            lines[metric, _series_text(metric, {**settings.external_labels, **labels})] = f" {value} {ts_ms}\n"
    return lines


def exposition_number(value: float) -> str:
    """The number as Go's %g writes it; the exposition knows no negative zero."""
    return "0" if value == 0 else text_number(value)


def _quoted(text: str) -> str:
    return f'"{text.translate(_ESCAPES)}"'


def _series_text(metric: str, labels: Mapping[str, str]) -> str:
    pairs = [
        f"{name if _CLASSIC_LABEL.fullmatch(name) else _quoted(name)}={_quoted(value)}"
        for name, value in sorted(labels.items())
    ]
    if _CLASSIC_METRIC.fullmatch(metric):
        return f"{metric}{{{','.join(pairs)}}}" if pairs else metric
    return "{" + ",".join([_quoted(metric), *pairs]) + "}"
