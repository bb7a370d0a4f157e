"""What follows a metrics function: the largest or smallest series, and comparisons with a number.

https://grafana.com/docs/tempo/latest/metrics-from-traces/metrics-queries/functions/#the-topk-and-bottomk-functions
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.traceql.nodes import MetricsStage, SeriesFilter, SeriesSelection
from swarmscope.lang.traceql.registry import ValueType
from swarmscope.query.traceql.answers import TraceSeries
from swarmscope.query.traceql.metric_requests import NS_PER_S

Floats = NDArray[np.float64]


def run_stages(stages: Sequence[MetricsStage], series: list[TraceSeries]) -> list[TraceSeries]:
    """The series that come out of the last stage; what has no point left is none."""
    for stage in stages:
        if not series:
            break
        matrix = np.stack([each.values for each in series])
        kept = _selected(stage, matrix) if isinstance(stage, SeriesSelection) else _compared(stage, matrix)
        matrix = np.where(kept, matrix, np.nan)
        series = [
            replace(each, values=values)
            for each, values in zip(series, matrix, strict=True)
            if not np.isnan(values).all()
        ]
    return series


def _selected(stage: SeriesSelection, matrix: Floats) -> NDArray[np.bool_]:
    """The largest or smallest k of each step; of equal ones those whose labels come first."""
    there = ~np.isnan(matrix)
    keys = np.where(there, -matrix if stage.op == "topk" else matrix, np.inf)
    order = np.argsort(keys, axis=0, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(len(matrix))[:, None], axis=0)
    kept: NDArray[np.bool_] = there & (rank < stage.limit)
    return kept


def _compared(stage: SeriesFilter, matrix: Floats) -> NDArray[np.bool_]:
    value = float(stage.value.value or 0)
    if stage.value.type is ValueType.DURATION:
        value /= NS_PER_S
    there = ~np.isnan(matrix)
    with np.errstate(invalid="ignore"):
        held = {
            "=": matrix == value,
            "!=": matrix != value,
            "<": matrix < value,
            "<=": matrix <= value,
            ">": matrix > value,
            ">=": matrix >= value,
        }[stage.op]
    kept: NDArray[np.bool_] = there & held
    return kept
