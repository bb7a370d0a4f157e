"""From label sets in columns to series refs: canonical order, identity, new series. All in Numba, no objects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import LabelSets
from swarmscope.store.catalogue.keys import find_key, put_key
from swarmscope.store.catalogue.siphash import bytes_less, siphash_pairs
from swarmscope.store.catalogue.symbols import SymbolTables, address_of, intern_symbol, symbol_is
from swarmscope.store.catalogue.tables import (
    ACTIVE,
    ALIVE,
    N_ACTIVE,
    N_IDENTITIES,
    N_LABELS,
    N_LIVE,
    N_METRICS,
    N_PAIRS,
    N_SERIES,
    NAME_LABEL,
    NEVER_MS,
    PAST_UNKNOWN,
    SeriesTables,
)

_IDENTITY_REF = np.uint64(0xFFFFFFFF)
_EMPTY_SYMBOL = 0  # the catalogue interns "" first
UNASSIGNED = -1


class PairColumns(NamedTuple):
    """Label pairs of a batch. Buffers are given by address: read-only and writable ones compile to one kernel."""

    offsets: NDArray[np.int64]  # [n_sets + 1]
    name_address: int
    name_start: NDArray[np.int64]  # [n_pairs]
    name_length: NDArray[np.int64]
    value_address: int
    value_start: NDArray[np.int64]
    value_length: NDArray[np.int64]


class Scratch(NamedTuple):
    """Working space of the kernel for the longest set of a batch."""

    label: NDArray[np.int32]
    value: NDArray[np.int32]
    label_spare: NDArray[np.int32]
    value_spare: NDArray[np.int32]
    name_memo: NDArray[np.int64]  # by position in the set: the symbol that the set before had there
    value_memo: NDArray[np.int64]


class Rows(NamedTuple):
    """One row per label set. `intern_sets` fills refs and is_new; `load_sets` is told refs and metric ids."""

    tenants: NDArray[np.int64]  # [n] tenant number
    refs: NDArray[np.int64]  # [n]
    metric_ids: NDArray[np.int64]  # [n] only for `load_sets`
    is_new: NDArray[np.bool_]  # [n]


def rows_of(rows: Rows, part: slice) -> Rows:
    """Views of some of the rows."""
    return Rows(rows.tenants[part], rows.refs[part], rows.metric_ids[part], rows.is_new[part])


def pair_columns(labels: LabelSets) -> PairColumns:
    """The batch as the kernels take it; `labels` MUST outlive the result."""
    names, values = labels.names, labels.values
    i64 = np.int64
    return PairColumns(
        np.require(labels.offsets, i64, ["C", "W"]),
        address_of(names.buffer),
        np.require(names.start, i64, ["C", "W"]),
        np.require(names.length, i64, ["C", "W"]),
        address_of(values.buffer),
        np.require(values.start, i64, ["C", "W"]),
        np.require(values.length, i64, ["C", "W"]),
    )


def scratch_for(longest_set: int) -> Scratch:
    """Working space for sets of at most that many pairs."""
    n = longest_set + 1
    i32, i64 = np.int32, np.int64
    return Scratch(
        np.zeros(n, i32), np.zeros(n, i32), np.zeros(n, i32), np.zeros(n, i32), np.zeros(n, i64), np.zeros(n, i64)
    )


@njit(nogil=True, cache=True)
def _symbol(tables: SymbolTables, memo: NDArray[np.int64], position: int, address: int, length: int) -> int:
    # Fast path: neighbours in a batch mostly share names and many values, position by position.
    if symbol_is(tables, memo[position], address, length):
        return int(memo[position])
    code = intern_symbol(tables, address, length)
    memo[position] = code
    return code


@njit(nogil=True, cache=True)
def label_number_of(tables: SeriesTables, code: int) -> int:
    """Label number of the symbol `code`, given out now if it is new as a label name."""
    number = int(tables.label_number[code])
    if number < 0:
        number = int(tables.counts[N_LABELS])
        tables.label_code[number] = code
        tables.label_number[code] = number
        tables.counts[N_LABELS] += 1
    return number


@njit(nogil=True, cache=True)
def _name_less(tables: SeriesTables, symbols: SymbolTables, left: int, right: int) -> bool:
    a, b = tables.label_code[left], tables.label_code[right]
    pool = symbols.pool.ctypes.data
    a_start, b_start = symbols.starts[a], symbols.starts[b]
    return bytes_less(pool + a_start, symbols.starts[a + 1] - a_start, pool + b_start, symbols.starts[b + 1] - b_start)


@njit(nogil=True, cache=True)
def _sort_pairs(tables: SeriesTables, symbols: SymbolTables, scratch: Scratch, count: int) -> None:
    """Merge sort by name, bottom up; senders mostly sort, which one pass finds out."""
    label, value = scratch.label, scratch.value
    is_sorted = True
    for index in range(1, count):
        if _name_less(tables, symbols, label[index], label[index - 1]):
            is_sorted = False
            break
    width = 1
    while not is_sorted and width < count:
        for begin in range(0, count, 2 * width):
            middle, end = min(begin + width, count), min(begin + 2 * width, count)
            left, right = begin, middle
            for target in range(begin, end):
                from_right = left >= middle or (right < end and _name_less(tables, symbols, label[right], label[left]))
                source = right if from_right else left
                scratch.label_spare[target] = label[source]
                scratch.value_spare[target] = value[source]
                if from_right:
                    right += 1
                else:
                    left += 1
        for index in range(count):
            label[index] = scratch.label_spare[index]
            value[index] = scratch.value_spare[index]
        width *= 2


@njit(nogil=True, cache=True)
def _find_identity(tables: SeriesTables, scratch: Scratch, count: int, tenant: int, tag: np.uint64) -> int:
    """Ref of the series with these very pairs, or ~slot of the empty slot where it belongs."""
    mask = np.uint64(len(tables.identities) - 1)
    slot = tag & mask
    while True:
        entry = tables.identities[slot]
        if entry == np.uint64(0):
            return int(~np.int64(slot))
        if entry >> np.uint64(32) == tag:
            ref = np.int64(entry & _IDENTITY_REF) - 1
            if tables.pair_count[ref] == count and tables.metric_tenant[tables.metric[ref]] == tenant:
                start = tables.pair_start[ref]
                same = True
                for index in range(count):
                    if (
                        tables.pair_value[start + index] != scratch.value[index]
                        or tables.pair_label[start + index] != scratch.label[index]
                    ):
                        same = False
                        break
                if same:
                    return int(ref)
        slot = (slot + np.uint64(1)) & mask


@njit(nogil=True, cache=True)
def _metric_of(tables: SeriesTables, scratch: Scratch, count: int, tenant: int, metric_id: int) -> int:
    """Metric number of the set in `scratch`; a new one gets `metric_id`, or the next number."""
    name = _EMPTY_SYMBOL
    for index in range(count):
        if scratch.label[index] == NAME_LABEL:
            name = scratch.value[index]
            break
    # Never 0, and distinct from every other pair of tenant and name.
    key = (np.uint64(tenant + 1) << np.uint64(32)) | np.uint64(name)
    number = metric_id
    if metric_id < 0:
        found = find_key(tables.metrics, key)
        if found >= 0:
            return found
        number = int(tables.counts[N_METRICS])
    elif metric_id < tables.counts[N_METRICS] and tables.metric_tenant[metric_id] >= 0:
        return metric_id
    for skipped in range(tables.counts[N_METRICS], number + 1):
        tables.metric_tenant[skipped] = -1
        tables.metric_name[skipped] = _EMPTY_SYMBOL
        tables.metric_head[skipped] = -1
        tables.metric_count[skipped] = 0
        tables.metric_active[skipped] = 0
    tables.counts[N_METRICS] = max(tables.counts[N_METRICS], number + 1)
    tables.metric_tenant[number] = tenant
    tables.metric_name[number] = name
    put_key(tables.metrics, key, number)
    return number


@njit(nogil=True, cache=True)
def _add_series(tables: SeriesTables, scratch: Scratch, count: int, ref: int, metric: int) -> None:
    """Write the series `ref` with the set in `scratch`; refs skipped on the way are holes."""
    counts = tables.counts
    for skipped in range(counts[N_SERIES], ref):
        tables.state[skipped] = 0
        tables.pair_start[skipped] = 0
        tables.pair_count[skipped] = 0
        tables.metric[skipped] = 0
        tables.previous[skipped] = -1
    counts[N_SERIES] = max(counts[N_SERIES], ref + 1)
    start = counts[N_PAIRS]
    for index in range(count):
        tables.pair_label[start + index] = scratch.label[index]
        tables.pair_value[start + index] = scratch.value[index]
    counts[N_PAIRS] = start + count
    tables.pair_start[ref] = start
    tables.pair_count[ref] = count
    tables.metric[ref] = metric
    tables.previous[ref] = tables.metric_head[metric]
    tables.metric_head[metric] = ref
    tables.metric_count[metric] += 1
    tables.tenant_count[tables.metric_tenant[metric]] += 1
    tables.min_ts_ms[ref] = NEVER_MS
    tables.max_ts_ms[ref] = -NEVER_MS
    counts[N_LIVE] += 1


@njit(nogil=True, cache=True)
def _read_set(tables: SeriesTables, symbols: SymbolTables, pairs: PairColumns, which: int, scratch: Scratch) -> int:
    """Set number `which` into `scratch` in canonical order; how many pairs it has. Empty values are no labels."""
    count = 0
    first = pairs.offsets[which]
    for pair in range(first, pairs.offsets[which + 1]):
        if pairs.value_length[pair] == 0:
            continue
        position = pair - first
        name = _symbol(
            symbols, scratch.name_memo, position, pairs.name_address + pairs.name_start[pair], pairs.name_length[pair]
        )
        value = _symbol(
            symbols,
            scratch.value_memo,
            position,
            pairs.value_address + pairs.value_start[pair],
            pairs.value_length[pair],
        )
        scratch.label[count] = label_number_of(tables, name)
        scratch.value[count] = value
        count += 1
    _sort_pairs(tables, symbols, scratch, count)
    return count


@njit(nogil=True, cache=True)
def intern_sets(
    tables: SeriesTables, symbols: SymbolTables, pairs: PairColumns, scratch: Scratch, rows: Rows, now_s: int
) -> None:
    """Give each set its ref, adding unknown ones as active series. Room MUST have been made before."""
    for which in range(len(rows.refs)):
        tenant = rows.tenants[which]
        count = _read_set(tables, symbols, pairs, which, scratch)
        tag = siphash_pairs(scratch.label, scratch.value, count, tenant, tables.seed) >> np.uint64(32)
        found = _find_identity(tables, scratch, count, tenant, tag)
        rows.is_new[which] = found < 0
        if found < 0:
            slot = ~found
            found = tables.counts[N_SERIES]
            metric = _metric_of(tables, scratch, count, tenant, UNASSIGNED)
            _add_series(tables, scratch, count, found, metric)
            tables.state[found] = ALIVE | ACTIVE
            tables.arrival_s[found] = now_s
            tables.counts[N_ACTIVE] += 1
            tables.metric_active[metric] += 1
            tables.tenant_active[tenant] += 1
            tables.identities[slot] = (tag << np.uint64(32)) | np.uint64(found + 1)
            tables.counts[N_IDENTITIES] += 1
        rows.refs[which] = found


@njit(nogil=True, cache=True)
def load_sets(tables: SeriesTables, symbols: SymbolTables, pairs: PairColumns, scratch: Scratch, rows: Rows) -> None:
    """Add series from disk under the refs and metric ids that they have. A ref that is taken is left alone.

    `previous` and `metric_head` are not in order afterwards: call `relink`.
    """
    for which in range(len(rows.refs)):
        ref, tenant = rows.refs[which], rows.tenants[which]
        rows.is_new[which] = ref >= tables.counts[N_SERIES] or not tables.state[ref] & ALIVE
        if not rows.is_new[which]:
            continue
        count = _read_set(tables, symbols, pairs, which, scratch)
        tag = siphash_pairs(scratch.label, scratch.value, count, tenant, tables.seed) >> np.uint64(32)
        found = _find_identity(tables, scratch, count, tenant, tag)
        metric = _metric_of(tables, scratch, count, tenant, rows.metric_ids[which])
        _add_series(tables, scratch, count, ref, metric)
        tables.state[ref] = ALIVE | PAST_UNKNOWN
        tables.arrival_s[ref] = 0
        if found < 0:
            tables.identities[~found] = (tag << np.uint64(32)) | np.uint64(ref + 1)
            tables.counts[N_IDENTITIES] += 1


@njit(nogil=True, cache=True)
def relink(tables: SeriesTables, previous: NDArray[np.int32], metric_head: NDArray[np.int32]) -> None:
    """Chain the living series of each metric in descending refs, from scratch, into the arrays given."""
    metric_head[: tables.counts[N_METRICS]] = -1
    for ref in range(tables.counts[N_SERIES]):
        if tables.state[ref] & ALIVE:
            metric = tables.metric[ref]
            previous[ref] = metric_head[metric]
            metric_head[metric] = ref
        else:
            previous[ref] = -1
