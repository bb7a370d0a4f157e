"""A line that still has an error at the pipeline's end fails a metric query, as in Loki.

https://grafana.com/docs/loki/latest/query/#pipeline-errors
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.logql.label_filters import LABEL_FILTERS, LabelFilter
from swarmscope.lang.logql.nodes import Grouping, RangeAggregation
from swarmscope.lang.promql.printer import quote
from swarmscope.model.errors import QueryFailedError
from swarmscope.query.logql.blocks import ERROR, LabelKind, LineBlock
from swarmscope.query.logql.demand import filter_labels
from swarmscope.query.logql.label_filters import equal_texts
from swarmscope.query.logql.label_parsing import JSON_ERROR, LOGFMT_ERROR


def asks_for_errors(node: RangeAggregation, grouping: Grouping | None) -> bool:
    """Whether the query names `__error__` in a filter or a grouping: parsers' errors are then what it is about."""
    filters: list[LabelFilter] = [stage for stage in node.pipeline.stages if isinstance(stage, LABEL_FILTERS)]
    if node.unwrap is not None:
        filters.extend(node.unwrap.filters)
    named: Iterable[str] = () if grouping is None or grouping.without else grouping.labels
    return ERROR in named or any(ERROR in filter_labels(each) for each in filters)


def refuse_errors(block: LineBlock, *, parsers_may_fail: bool) -> None:
    """Raise QueryFailedError for the first line that has an error."""
    column = block.made.get(ERROR)
    if column is None:
        return
    failed: NDArray[np.bool_] = column.length > 0
    if parsers_may_fail:
        failed &= ~(equal_texts(column, JSON_ERROR) | equal_texts(column, LOGFMT_ERROR))
    if not failed.any():
        return
    row = int(np.argmax(failed))
    error = column.text(row)
    pairs = ", ".join(f"{name}={quote(value)}" for name, value in sorted(labels_of_line(block, row).items()))
    raise QueryFailedError(
        f"pipeline error: '{error}' for series: '{{{pairs}}}'.\n"
        f'Use a label filter to intentionally skip this error. (e.g | __error__!="{error}").\n'
        'To skip all potential errors you can match empty errors.(e.g __error__="")\n'
        'The label filter can also be specified after unwrap. (e.g | unwrap latency | __error__="" )\n'
    )


def labels_of_line(block: LineBlock, row: int) -> dict[str, str]:
    """All labels of one line. # Slow path: messages"""
    names = {name for kind in LabelKind for name in block.names(kind)}
    columns = {name: block.label(name) for name in names}
    return {name: column.text(row) for name, column in columns.items() if column.length[row] > 0}
