"""From label sets in columns to series refs: canonical order, identity, new series. All in Numba, no objects."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_ranges import bytes_less
from swarmscope.store.catalogue.keys import find_key, put_key
from swarmscope.store.catalogue.siphash import siphash_pairs
from swarmscope.store.catalogue.symbols import SymbolTables
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
_SEARCHING = np.iinfo(np.int64).min
_EMPTY_SYMBOL = 0  # the catalogue interns "" first
UNASSIGNED = -1


class LabelPairs(NamedTuple):
    """Label sets of a batch in codes. Set s owns the pairs `begin[s] : end[s]`."""

    begin: NDArray[np.int64]  # [n_sets]
    end: NDArray[np.int64]  # [n_sets]
    label: NDArray[np.int32]  # [n_pairs] label number (symbol code before `number_labels`)
    value: NDArray[np.int32]  # [n_pairs] symbol code


class Rows(NamedTuple):
    """One row per label set. `intern_sets` fills refs and is_new; `load_sets` is told refs and metric ids."""

    tenants: NDArray[np.int64]  # [n] tenant number
    refs: NDArray[np.int64]  # [n]
    metric_ids: NDArray[np.int64]  # [n] only for `load_sets`
    is_new: NDArray[np.bool_]  # [n]


def rows_of(rows: Rows, part: slice) -> Rows:
    """Views of some of the rows."""
    return Rows(rows.tenants[part], rows.refs[part], rows.metric_ids[part], rows.is_new[part])


@njit(nogil=True, cache=True)
def number_labels(
    label_number: NDArray[np.int32], label_code: NDArray[np.int32], counts: NDArray[np.int64], codes: NDArray[np.int32]
) -> None:
    """Turn symbol codes of label names [n] into label numbers, in place; names not seen before get the next ones."""
    for index in range(len(codes)):
        code = codes[index]
        number = label_number[code]
        if number < 0:
            number = np.int32(counts[N_LABELS])
            label_code[number] = code
            label_number[code] = number
            counts[N_LABELS] += 1
        codes[index] = number


@njit(nogil=True, cache=True)
def canonicalise(pairs: LabelPairs, label_code: NDArray[np.int32], symbols: SymbolTables) -> None:
    """Sort each set by name and drop pairs with an empty value, in place.

    Merge sort, bottom up, so that no order of labels is slow; senders mostly sort, which one pass finds out.
    """
    label, value, starts, pool = pairs.label, pairs.value, symbols.starts, symbols.pool.ctypes.data
    spare_label, spare_value = np.empty_like(label), np.empty_like(value)
    for which in range(len(pairs.begin)):
        begin, end = pairs.begin[which], pairs.begin[which]
        is_sorted = True
        for index in range(begin, pairs.end[which]):
            if value[index] != _EMPTY_SYMBOL:
                label[end], value[end] = label[index], value[index]
                if end > begin and is_sorted:
                    is_sorted = not _name_less(pool, starts, label_code[label[end]], label_code[label[end - 1]])
                end += 1
        pairs.end[which] = end
        width = 1
        while not is_sorted and width < end - begin:
            for left_begin in range(begin, end, 2 * width):
                middle, stop = min(left_begin + width, end), min(left_begin + 2 * width, end)
                left, right = left_begin, middle
                for target in range(left_begin, stop):
                    if left >= middle or (
                        right < stop and _name_less(pool, starts, label_code[label[right]], label_code[label[left]])
                    ):
                        spare_label[target], spare_value[target] = label[right], value[right]
                        right += 1
                    else:
                        spare_label[target], spare_value[target] = label[left], value[left]
                        left += 1
            label[begin:end] = spare_label[begin:end]
            value[begin:end] = spare_value[begin:end]
            width *= 2


@njit(nogil=True, cache=True, inline="always")
def _name_less(pool: int, starts: NDArray[np.int64], left: int, right: int) -> bool:
    left_start, right_start = starts[left], starts[right]
    return bytes_less(
        pool + left_start, starts[left + 1] - left_start, pool + right_start, starts[right + 1] - right_start
    )


@njit(nogil=True, cache=True, inline="always")
def _identity_tag(tables: SeriesTables, pairs: LabelPairs, which: int, tenant: int) -> np.uint64:
    digest = siphash_pairs(pairs.label, pairs.value, pairs.begin[which], pairs.end[which], tenant, tables.seed)
    return digest >> np.uint64(32)


@njit(nogil=True, cache=True, inline="always")
def _find_identity(tables: SeriesTables, pairs: LabelPairs, which: int, tenant: int, tag: np.uint64) -> int:
    """Ref of the series with these very pairs, or ~slot of the empty slot where it belongs."""
    identities, pair_start, pair_count = tables.identities, tables.pair_start, tables.pair_count
    pair_label, pair_value, label, value = tables.pair_label, tables.pair_value, pairs.label, pairs.value
    begin, count = pairs.begin[which], pairs.end[which] - pairs.begin[which]
    mask = np.uint64(len(identities) - 1)
    slot = tag & mask
    answer = np.int64(_SEARCHING)
    while answer == _SEARCHING:
        entry = identities[slot]
        if entry == np.uint64(0):
            answer = ~np.int64(slot)
        elif entry >> np.uint64(32) == tag:
            ref = np.int64(entry & _IDENTITY_REF) - 1
            if pair_count[ref] == count and tables.metric_tenant[tables.metric[ref]] == tenant:
                start = pair_start[ref]
                same = 0
                while (
                    same < count
                    and pair_value[start + same] == value[begin + same]
                    and pair_label[start + same] == label[begin + same]
                ):
                    same += 1
                if same == count:
                    answer = ref
        slot = (slot + np.uint64(1)) & mask
    return int(answer)


@njit(nogil=True, cache=True)
def _metric_of(tables: SeriesTables, pairs: LabelPairs, which: int, tenant: int, metric_id: int) -> int:
    """Metric number of set `which`; a new one gets `metric_id`, or the next number."""
    name = _EMPTY_SYMBOL
    for index in range(pairs.begin[which], pairs.end[which]):
        if pairs.label[index] == NAME_LABEL:
            name = pairs.value[index]
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
def _add_series(tables: SeriesTables, pairs: LabelPairs, which: int, ref: int, metric: int) -> None:
    """Write set `which` as the series `ref`; refs skipped on the way are holes."""
    counts = tables.counts
    for skipped in range(counts[N_SERIES], ref):
        tables.state[skipped] = 0
        tables.pair_start[skipped] = 0
        tables.pair_count[skipped] = 0
        tables.metric[skipped] = 0
        tables.previous[skipped] = -1
    counts[N_SERIES] = max(counts[N_SERIES], ref + 1)
    start, begin = counts[N_PAIRS], pairs.begin[which]
    count = pairs.end[which] - begin
    for index in range(count):
        tables.pair_label[start + index] = pairs.label[begin + index]
        tables.pair_value[start + index] = pairs.value[begin + index]
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
def intern_sets(tables: SeriesTables, pairs: LabelPairs, rows: Rows, now_s: int) -> None:
    """Give each canonical set its ref, adding unknown ones as active series. Room MUST have been made before."""
    for which in range(len(rows.refs)):
        tenant = rows.tenants[which]
        tag = _identity_tag(tables, pairs, which, tenant)
        found = _find_identity(tables, pairs, which, tenant, tag)
        rows.is_new[which] = found < 0
        if found < 0:
            slot = ~found
            found = tables.counts[N_SERIES]
            metric = _metric_of(tables, pairs, which, tenant, UNASSIGNED)
            _add_series(tables, pairs, which, found, metric)
            tables.state[found] = ALIVE | ACTIVE
            tables.arrival_s[found] = now_s
            tables.counts[N_ACTIVE] += 1
            tables.metric_active[metric] += 1
            tables.tenant_active[tenant] += 1
            tables.identities[slot] = (tag << np.uint64(32)) | np.uint64(found + 1)
            tables.counts[N_IDENTITIES] += 1
        rows.refs[which] = found


@njit(nogil=True, cache=True)
def load_sets(tables: SeriesTables, pairs: LabelPairs, rows: Rows) -> None:
    """Add canonical sets from disk under the refs and metric ids that they have. A ref that is taken is left alone.

    `previous` and `metric_head` are not in order afterwards: call `relink`.
    """
    for which in range(len(rows.refs)):
        ref, tenant = rows.refs[which], rows.tenants[which]
        rows.is_new[which] = ref >= tables.counts[N_SERIES] or not tables.state[ref] & ALIVE
        if not rows.is_new[which]:
            continue
        tag = _identity_tag(tables, pairs, which, tenant)
        found = _find_identity(tables, pairs, which, tenant, tag)
        metric = _metric_of(tables, pairs, which, tenant, rows.metric_ids[which])
        _add_series(tables, pairs, which, ref, metric)
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
