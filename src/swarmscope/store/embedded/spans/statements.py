"""The SQL of reading spans: numbers of ours, and texts of others as hexadecimal digits, which end no literal."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.spans import Condition, SpanColumns
from swarmscope.schema.span_tables import N_SLOTS, SLOTS, SPAN_COUNTS, SPANS
from swarmscope.store.embedded.spans.span_plan import NO_SLOT, SpanPlan, ValueTest

# Each group of shapes is a SELECT of its own, which costs some time to plan; the rest are one SELECT together.
_MAX_GROUPS = 24
# Above this many numbers a list costs more than reading their neighbours too.
MAX_LISTED = 20_000
_BLOCK = ("max_block_size = 65536", "preferred_block_size_bytes = 0")
# ClickHouse would take one thread alone where it may not use a gigabyte of memory for each.
_ALL_CORES = (f"max_threads = {os.cpu_count() or 1}", "max_threads_min_free_memory_per_thread = 0")
_BASE = ("resource", "ts", "weight")
_OF_COLUMNS: dict[str, tuple[str, ...]] = {
    "trace_id": ("trace_id",),
    "ids": ("span_id", "parent_id"),
    "duration": ("duration",),
    "kind": ("kind", "status"),
    "name": ("name",),
    "status_message": ("status_message",),
    "scope": ("scope",),
    "events": ("events",),
    "links": ("links",),
}
_SELECTED = {"name": "CAST(name, 'String') AS name"}
WHOLE = ("flags", "dropped_attributes", "dropped_events", "dropped_links", "trace_state", "keep")


def settings(first: str = "") -> tuple[str, ...]:
    """The settings of `spans_sql`."""
    if first:
        # A few granules: one thread, and the index is asked once before instead of part by part while reading.
        return ("max_threads = 1", "use_skip_indexes_on_data_read = 0", *_BLOCK)
    return (*_ALL_CORES, *_BLOCK)


def stored_columns(columns: SpanColumns) -> list[str]:
    """The columns of table `spans` that a request needs, but for those of attributes."""
    names = list(_BASE)
    for field, stored in _OF_COLUMNS.items():
        if columns.whole or getattr(columns, field):
            names += stored
    return [*names, *WHOLE] if columns.whole else names


@dataclass(frozen=True, slots=True)
class _Group:
    """Shapes that have what is asked for in the same slots."""

    shapes: NDArray[np.int64]
    condition: str  # on the values
    values: tuple[str, ...]  # SQL of the wanted attributes


def spans_sql(plan: SpanPlan, first_segment: int, *, first: str = "") -> str:
    """SELECT of the spans in parts that the plan does not rule out; of those alone that fulfil the condition `first`,
    which few do, and then of all times: to look for those in the index takes longer than to read them.

    Beside stored columns it has `v0`, `v1` … for the wanted attributes: the bytes of the value, or of all that lies
    beyond the slots where it lies there; and with those, or whole spans, `shape`.
    """
    columns = plan.request.columns
    names = stored_columns(columns)
    if plan.wanted or columns.whole:
        names.append("shape")
    if columns.whole:
        names += used_slots(plan)
    conditions = [*_row_conditions(plan, first_segment), *([] if first else time_conditions(plan))]
    source = f"{SPANS.name} PREWHERE {first}" if first else SPANS.name
    selects = []
    for group in _groups(plan):
        listed = ", ".join(
            [
                *(_SELECTED.get(name, name) for name in names),
                *(f"{sql} AS v{index}" for index, sql in enumerate(group.values)),
            ]
        )
        where = [*shape_conditions(group.shapes, plan), *conditions, *([group.condition] if group.condition else [])]
        selects.append(f"SELECT {listed} FROM {source} WHERE {' AND '.join(where)}")
    return selects[0] if len(selects) == 1 else f"SELECT * FROM ({' UNION ALL '.join(selects)})"


def used_slots(plan: SpanPlan) -> list[str]:
    """The columns that any of the plan's shapes has values in."""
    most = int(plan.slot_counts.max(initial=0))
    return [*SLOTS[:most], *(["rest"] if most > N_SLOTS else [])]


def shape_conditions(shapes: NDArray[np.int64], plan: SpanPlan) -> list[str]:
    """SQL for rows of these of the plan's shapes."""
    if plan.every_shape and len(shapes) == len(plan.shapes):
        return [f"shape < {plan.next_shape}"]
    return [in_list("shape", shapes)]


def in_list(column: str, numbers: NDArray[np.int64]) -> str:
    """SQL for rows whose number is one of these [≥ 1]."""
    return f"{column} IN ({', '.join(map(str, numbers.tolist()))})"


def hexed(text: bytes) -> str:
    """SQL of bytes."""
    return f"unhex('{text.hex()}')"


def time_conditions(plan: SpanPlan) -> list[str]:
    """SQL for rows of the request's time."""
    return [f"ts >= {plan.request.start_ns}", f"ts < {plan.request.end_ns}"]


def _row_conditions(plan: SpanPlan, first_segment: int) -> Iterator[str]:
    yield f"segment < {first_segment}"
    if plan.resources is not None and len(plan.resources) <= MAX_LISTED:
        yield in_list("resource", plan.resources)
    for condition in plan.columns:
        yield column_condition(condition)


def column_condition(condition: Condition) -> str:
    """SQL of a condition on a name, kind, status or duration."""
    if condition.key == "name":
        texts = [hexed(str(value).encode("utf-8", "surrogatepass")) for value in condition.values]
        return f"name IN ({', '.join(texts)})" if texts else "0"
    if condition.key == "duration":
        least, most = duration_bounds(condition)
        return f"duration >= {least} AND duration <= {most}"
    numbers = [str(int(value)) for value in condition.values]
    return f"{'kind' if condition.key == 'kind' else 'status'} IN ({', '.join(numbers)})" if numbers else "0"


def duration_bounds(condition: Condition) -> tuple[int, int]:
    """Least and most nanoseconds, as 64-bit numbers."""
    least, most = condition.values
    lowest, highest = -(1 << 63), (1 << 63) - 1
    return max(lowest, min(highest, int(least))), max(lowest, min(highest, int(most)))


def _groups(plan: SpanPlan) -> list[_Group]:
    by_key: dict[tuple[object, ...], list[int]] = {}
    for shape in plan.shapes.tolist():
        key = (
            *((int(test.attribute.slot[shape]), test.spellings.get(int(test.attribute.kind[shape])))
              for test in plan.tests),
            *(int(attribute.slot[shape]) for attribute in plan.wanted),
        )  # fmt: skip
        by_key.setdefault(key, []).append(shape)
    members = sorted(by_key.values(), key=len, reverse=True)
    if len(members) > _MAX_GROUPS:
        members = [*members[: _MAX_GROUPS - 1], sorted(chain.from_iterable(members[_MAX_GROUPS - 1 :]))]
    return [_group(plan, np.array(shapes, np.int64)) for shapes in members]


def _group(plan: SpanPlan, shapes: NDArray[np.int64]) -> _Group:
    tests = [_test_sql(test, shapes) for test in plan.tests]
    values = tuple(_by_slot(attribute.slot, shapes) for attribute in plan.wanted)
    return _Group(shapes, " AND ".join(test for test in tests if test), values)


def _slot_sql(slot: int) -> str:
    if slot == NO_SLOT:
        return "''"
    return SLOTS[slot] if slot < N_SLOTS else "rest"


def _by_slot(slot: NDArray[np.int64], shapes: NDArray[np.int64]) -> str:
    """SQL of the column that holds the value, by shape."""
    used = slot[shapes]
    distinct = np.unique(used).tolist()
    if len(distinct) == 1:
        return _slot_sql(distinct[0])
    cases = [f"{in_list('shape', shapes[used == each])}, {_slot_sql(each)}" for each in distinct[1:]]
    return f"multiIf({', '.join(cases)}, {_slot_sql(distinct[0])})"


def _test_sql(test: ValueTest, shapes: NDArray[np.int64]) -> str:
    """SQL of a test; "" where every shape's values pass."""
    slot, kind = test.attribute.slot[shapes], test.attribute.kind[shapes].astype(np.int64)
    distinct = {(int(a), test.spellings.get(int(b))) for a, b in zip(slot, kind, strict=True)}
    cases = []
    for at, texts in sorted(distinct, key=str):
        mine = (slot == at) & np.array([test.spellings.get(int(each)) == texts for each in kind], np.bool_)
        condition = _equals_sql(at, texts)
        if len(distinct) == 1:
            return condition
        cases.append(" AND ".join(filter(None, (in_list("shape", shapes[mine]), condition))))
    return f"({' OR '.join(f'({case})' for case in cases)})"


def _equals_sql(slot: int, texts: tuple[bytes, ...] | None) -> str:
    if texts is None:
        return ""
    if slot < N_SLOTS:
        return f"{SLOTS[slot]} IN ({', '.join(map(hexed, texts))})"
    return f"({' OR '.join(f'position(rest, {hexed(text)}) > 0' for text in texts)})"


def step_counts_sql(plan: SpanPlan, first_segment: int, steps: tuple[int, int]) -> str:
    """Spans in parts by resource and step, of a plan without conditions. `steps`: where the first begins, width."""
    where = [*shape_conditions(plan.shapes, plan), *time_conditions(plan), f"segment < {first_segment}"]
    return (
        f"SELECT resource, intDiv(ts - {steps[0] + 1}, {steps[1]}) AS step, sum(toFloat64(weight)) AS w, count() AS n "
        f"FROM {SPANS.name} WHERE {' AND '.join(where)} GROUP BY resource, step"
    )


def counts_condition(plan: SpanPlan, range_ns: tuple[int, int], first_segment: int) -> str:
    """FROM and WHERE of counts in parts whose bucket lies in (start, end]."""
    where = [
        *shape_conditions(plan.shapes, plan),
        f"bucket > {range_ns[0]}",
        f"bucket <= {range_ns[1]}",
        f"segment < {first_segment}",
    ]
    return f"FROM {SPAN_COUNTS.name} WHERE {' AND '.join(where)}"
