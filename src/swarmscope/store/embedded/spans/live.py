"""Spans in memory that a plan asks for, in the columns that parts give."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.attributes import ValueColumn
from swarmscope.model.byte_ranges import bytes_equal
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import address_of
from swarmscope.model.spans import Condition
from swarmscope.store.embedded.native import AnyColumn
from swarmscope.store.embedded.spans.packing import Texts, as_texts
from swarmscope.store.embedded.spans.span_columns import Spans, text_column, value_at
from swarmscope.store.embedded.spans.span_plan import Attribute, SpanPlan, ValueTest
from swarmscope.store.embedded.spans.statements import duration_bounds, stored_columns

# Names of columns in parts, where they differ.
_NUMBERS = {"ts": "ts_ns", "duration": "duration_ns"}
_TEXTS = {"name": "name", "status_message": "message", "trace_state": "state", "events": "events", "links": "links"}


def find_spans(spans: Spans, plan: SpanPlan) -> NDArray[np.int64]:
    """Rows that the plan does not rule out, in order of arrival."""
    request = plan.request
    wanted = np.zeros(plan.next_shape, np.bool_)
    wanted[plan.shapes] = True
    found: NDArray[np.int64] = _find(spans.shape, spans.ts_ns, wanted, (request.start_ns, request.end_ns))
    if plan.resources is not None:
        found = found[np.isin(spans.resource[found], plan.resources)]
    for condition in plan.columns:
        found = found[_fulfils(spans, found, condition)]
    for test in plan.tests:
        found = found[passes(value_of(spans, test.attribute, found), test)]
    return found


@njit(nogil=True, cache=True)
def _find(
    shape: NDArray[np.uint32], ts_ns: NDArray[np.int64], wanted: NDArray[np.bool_], range_ns: tuple[int, int]
) -> NDArray[np.int64]:
    found = np.empty(len(shape), np.int64)
    count = 0
    for row in range(len(shape)):
        if range_ns[0] <= ts_ns[row] < range_ns[1] and shape[row] < len(wanted) and wanted[shape[row]]:
            found[count] = row
            count += 1
    return found[:count].copy()


def _fulfils(spans: Spans, rows: NDArray[np.int64], condition: Condition) -> NDArray[np.bool_]:
    """Whether each of the rows [n] fulfils a condition on a column."""
    if condition.key == "name":
        texts = [str(value).encode("utf-8", "surrogatepass") for value in condition.values]
        return equals_any(text_column(spans, "name", rows), texts)
    if condition.key == "duration":
        least, most = duration_bounds(condition)
        duration = spans.duration_ns[rows]
        return np.asarray((duration >= least) & (duration <= most))
    column = spans.kind if condition.key == "kind" else spans.status
    return np.isin(column[rows], [int(value) for value in condition.values])


def value_of(spans: Spans, attribute: Attribute, rows: NDArray[np.int64]) -> ValueColumn:
    """An attribute's value [n] in `rows`."""
    shape = spans.shape[rows]
    return value_at(text_column(spans, "values", rows), attribute.slot[shape], attribute.kind[shape])


def passes(values: ValueColumn, test: ValueTest) -> NDArray[np.bool_]:
    """Whether each value [n] passes the test."""
    passing = np.ones(len(values), np.bool_)
    for kind, texts in test.spellings.items():
        rows = np.flatnonzero(values.kind == kind)
        if len(rows):
            passing[rows] = equals_any(values.text.take(rows), list(texts))
    return passing


def equals_any(column: Utf8Column, texts: list[bytes]) -> NDArray[np.bool_]:
    """Whether each text [n] is one of `texts`."""
    equal = np.zeros(len(column), np.bool_)
    source = as_texts(column)
    for text in texts:
        _mark_equal(source, np.frombuffer(text + b"\0", np.uint8), len(text), equal)
    return equal


@njit(nogil=True, cache=True)
def _mark_equal(column: Texts, text: NDArray[np.uint8], length: int, equal: NDArray[np.bool_]) -> None:
    base, other = address_of(column.buffer), address_of(text)
    for row in range(len(equal)):
        if column.length[row] == length and bytes_equal(base + column.start[row], other, length):
            equal[row] = True


def find_traces(spans: Spans, trace_ids: NDArray[np.uint8], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of `rows` whose trace is one of `trace_ids` [n, TRACE_ID_BYTES]."""
    halves = np.ascontiguousarray(spans.trace_id).view(np.uint64).reshape(-1, 2)
    wanted = np.ascontiguousarray(trace_ids).view(np.uint64).reshape(-1, 2)
    likely = rows[np.isin(halves[rows, 1], wanted[:, 1])]
    known = {each.tobytes() for each in trace_ids}
    mine = [spans.trace_id[row].tobytes() in known for row in likely.tolist()]
    return likely[np.array(mine, np.bool_)]


def live_columns(spans: Spans, rows: NDArray[np.int64], plan: SpanPlan) -> dict[str, AnyColumn]:
    """The rows [n] in the columns of `statements.spans_sql`; whole ones have `values` for the slots."""
    request = plan.request
    columns: dict[str, AnyColumn] = {}
    for name in stored_columns(request.columns):
        if name == "weight":
            columns[name] = np.ones(len(rows), np.float32)
        elif name in _TEXTS:
            columns[name] = text_column(spans, _TEXTS[name], rows)
        else:
            columns[name] = getattr(spans, _NUMBERS.get(name, name))[rows]
    if plan.wanted or request.columns.whole:
        columns["shape"] = spans.shape[rows]
    if request.columns.whole:
        columns["values"] = text_column(spans, "values", rows)
    for index, attribute in enumerate(plan.wanted):
        columns[f"v{index}"] = value_of(spans, attribute, rows).text
    return columns
