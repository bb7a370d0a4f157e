"""The spans of one whole trace that a filter chooses, with the way to them from the root.

Manual: https://grafana.com/docs/tempo/latest/api_docs/#query-v2 (`q` and `keep_hierarchy`)
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.api.tempo.trace_rows import taken
from swarmscope.lang.traceql.nodes import SpansetFilter
from swarmscope.model.contracts import SpanReader
from swarmscope.model.spans import SpanRows
from swarmscope.query.traceql.conditions import fulfils
from swarmscope.query.traceql.demand import demand_of
from swarmscope.query.traceql.span_block import SpanBlock, SpanTables
from swarmscope.query.traceql.trace_facts import gather_facts


def chosen_spans(
    rows: SpanRows, chosen: SpansetFilter, reader: SpanReader, *, with_ancestors: bool
) -> SpanRows:  # fmt: skip
    """The whole spans of one trace that fulfil the filter, and with them all spans above. Raises QueryFailedError."""
    if chosen.condition is None or rows.details is None:
        return rows
    names = demand_of([chosen]).attributes
    columns = tuple(rows.details.attributes.column(name) for name in names)
    facts = gather_facts(rows)
    block = SpanBlock(replace(rows, attributes=columns), names, SpanTables(reader), facts)
    mask = fulfils(chosen.condition, block)
    if with_ancestors:
        mask = mask | _above(mask, facts.parent, facts.order)
    return taken(rows, np.flatnonzero(mask))


def _above(mask: NDArray[np.bool_], parent: NDArray[np.int64], order: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which spans are an ancestor of one in the mask; `order` has parents before their children."""
    found = np.zeros(len(mask), np.bool_)
    for row in order[::-1].tolist():
        if (mask[row] or found[row]) and parent[row] >= 0:
            found[parent[row]] = True
    return found
