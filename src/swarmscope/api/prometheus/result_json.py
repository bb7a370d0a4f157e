"""Query results as Prometheus' JSON text."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import orjson

from swarmscope.api.json_series import grid_points, series_json
from swarmscope.api.label_text import LabelTexts
from swarmscope.api.number_text import plain_text, scalar_time_text, timestamp_text
from swarmscope.lang.promql import ValueType
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.series import SymbolTable
from swarmscope.query.histograms.rendering import histogram_json
from swarmscope.query.histograms.rows import NO_HISTOGRAM, HistogramMatrix
from swarmscope.query.promql import QueryResult, QueryStats


class Rendering(NamedTuple):
    """What turning a result into text needs beside the result."""

    catalogue: SymbolTable
    texts: LabelTexts
    check: Callable[[], None]  # raises to end the work
    max_bytes: int


def result_chunks(result: QueryResult, rendering: Rendering, stats: Mapping[str, Any] | None = None) -> list[bytes]:
    """The `data` member: `{"resultType":…,"result":…,"stats":…}`. Raises LimitExceededError over `max_bytes`."""
    head = b'{"resultType":"' + result.kind.value.encode() + b'","result":'
    tail = (b',"stats":' + orjson.dumps(stats) if stats else b"") + b"}"
    if result.kind is ValueType.SCALAR:
        body = [f'[{scalar_time_text(int(result.times_ms[0]))},"{plain_text(float(result.values[0, 0]))}"]'.encode()]
    elif result.kind is ValueType.STRING:
        time_text = scalar_time_text(int(result.times_ms[0])).encode()
        body = [b"[" + time_text + b"," + orjson.dumps(result.text) + b"]"]
    else:
        body = [b"[", *_series_chunks(result, rendering), b"]"]
    return [head, *body, tail]


def stats_of(stats: QueryStats) -> Mapping[str, Any]:
    """The `stats` member, in Prometheus' words."""
    total_s = stats.parse_s + stats.evaluate_s + stats.sort_s
    return {
        "timings": {
            "evalTotalTime": total_s,
            "resultSortTime": stats.sort_s,
            "queryPreparationTime": stats.parse_s,
            "innerEvalTime": stats.evaluate_s,
            "execQueueTime": 0.0,
            "execTotalTime": total_s,
        },
        "samples": {"totalQueryableSamples": stats.samples_fetched, "peakSamples": stats.peak_cells},
    }


def _series_chunks(result: QueryResult, rendering: Rendering) -> list[bytes]:
    labels = rendering.texts.render(result.labels, rendering.catalogue, result.symbols)
    vector = result.kind is ValueType.VECTOR
    present, histograms = result.present, None
    if result.histograms is not None:
        present = present & (result.histograms.cells == NO_HISTOGRAM)
        histograms = _histogram_texts(result, result.histograms, vector)
    points = grid_points(result.times_ms, result.values, present)
    chunks: list[bytes] = []
    size = 0
    for chunk in series_json(labels, points, vector=vector, histograms=histograms, check=rendering.check):
        size += len(chunk)
        if size > rendering.max_bytes:
            raise LimitExceededError(
                f"the answer is larger than {rendering.max_bytes} bytes", limit="query.max_response_bytes"
            )
        chunks.append(chunk)
    return chunks


def _histogram_texts(result: QueryResult, matrix: HistogramMatrix, vector: bool) -> dict[int, bytes]:
    """# Slow path: native histograms are rendered one at a time."""
    series, steps = np.nonzero((matrix.cells != NO_HISTOGRAM) & result.present)
    cells = matrix.cells[series, steps]
    pairs: dict[int, list[bytes]] = {}
    for owner, row, ts_ms in zip(series.tolist(), cells.tolist(), result.times_ms[steps].tolist(), strict=True):
        text = orjson.dumps(histogram_json(matrix.rows, row))
        pairs.setdefault(owner, []).append(b"[" + timestamp_text(ts_ms).encode() + b"," + text + b"]")
    if vector:
        return {owner: b',"histogram":' + points[-1] for owner, points in pairs.items()}
    return {owner: b',"histograms":[' + b",".join(points) + b"]" for owner, points in pairs.items()}
