"""Query results as Prometheus' JSON text."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import orjson

from swarmscope.api.engine import QueryAnswer
from swarmscope.api.json_series import grid_points, sample_points, series_json
from swarmscope.api.label_text import LabelTexts
from swarmscope.api.number_text import plain_text, scalar_time_text, timestamp_text
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.metrics import HistogramColumns
from swarmscope.model.series import LabelFrame, SymbolTable
from swarmscope.query.histograms.rendering import histogram_json
from swarmscope.query.histograms.rows import from_columns

_NO_LABELS = LabelFrame((), np.zeros((0, 0), np.int32))


class Rendering(NamedTuple):
    """What turning a result into text needs beside the result."""

    catalogue: SymbolTable
    texts: LabelTexts
    check: Callable[[], None]  # raises to end the work
    max_bytes: int


def result_chunks(answer: QueryAnswer, rendering: Rendering) -> list[bytes]:
    """The `data` member: `{"resultType":…,"result":…,"stats":…}`. Raises LimitExceededError over `max_bytes`."""
    head = b'{"resultType":"' + answer.kind.encode() + b'","result":'
    tail = (b',"stats":' + orjson.dumps(answer.stats) if answer.stats else b"") + b"}"
    if answer.kind == "scalar":
        value = 0.0 if answer.values is None else float(answer.values[0, 0])
        body = [f'[{scalar_time_text(int(answer.ts_ms[0]))},"{plain_text(value)}"]'.encode()]
    elif answer.kind == "string":
        body = [b"[" + scalar_time_text(int(answer.ts_ms[0])).encode() + b"," + orjson.dumps(answer.text) + b"]"]
    else:
        body = [b"[", *_series_chunks(answer, rendering), b"]"]
    return [head, *body, tail]


def _series_chunks(answer: QueryAnswer, rendering: Rendering) -> list[bytes]:
    labels = rendering.texts.render(answer.labels or _NO_LABELS, rendering.catalogue, answer.symbols)
    vector = answer.kind == "vector"
    if answer.samples is not None:
        points = sample_points(answer.samples)
    else:
        values = np.zeros((0, len(answer.ts_ms))) if answer.values is None else answer.values
        points = grid_points(answer.ts_ms, values, answer.present)
    histograms = _histogram_texts(answer.histograms, vector) if answer.histograms is not None else None
    chunks: list[bytes] = []
    size = 0
    for chunk in series_json(labels, points, vector=vector, histograms=histograms, check=rendering.check):
        size += len(chunk)
        if size > rendering.max_bytes:
            raise LimitExceededError(
                f"the answer is larger than {rendering.max_bytes} bytes", limit="api.max_response_bytes"
            )
        chunks.append(chunk)
    return chunks


def _histogram_texts(histograms: HistogramColumns, vector: bool) -> dict[int, bytes]:
    """# Slow path: native histograms are rendered one at a time."""
    rows = from_columns(histograms)
    pairs: dict[int, list[bytes]] = {}
    for row, (series, ts_ms) in enumerate(zip(histograms.series.tolist(), histograms.ts_ms.tolist(), strict=True)):
        text = orjson.dumps(histogram_json(rows, row))
        pairs.setdefault(series, []).append(b"[" + timestamp_text(ts_ms).encode() + b"," + text + b"]")
    if vector:
        return {series: b',"histogram":' + points[-1] for series, points in pairs.items()}
    return {series: b',"histograms":[' + b",".join(points) + b"]" for series, points in pairs.items()}
