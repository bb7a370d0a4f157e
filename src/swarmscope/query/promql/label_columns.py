"""Operations on label frames: pure, by column, no string unless it is asked for."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.printer import quote
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.series import ABSENT, LabelFrame
from swarmscope.query.promql.row_groups import group_columns
from swarmscope.query.promql.symbols import QuerySymbols

# What describes the metric and not the series; gone once a value is no longer the metric's own.
METADATA_LABELS = frozenset({METRIC_NAME, "__type__", "__unit__"})


def no_labels(n_series: int) -> LabelFrame:
    """Series without any label."""
    return LabelFrame((), np.empty((0, n_series), np.int32))


def column(labels: LabelFrame, name: str) -> NDArray[np.int32]:
    """Codes of one label [n_series], ABSENT where a series has none."""
    if name in labels.names:
        return np.asarray(labels.codes[labels.names.index(name)], np.int32)
    return np.full(labels.n_series, ABSENT, np.int32)


def keep_labels(labels: LabelFrame, names: Collection[str]) -> LabelFrame:
    """Only these labels."""
    rows = [k for k, name in enumerate(labels.names) if name in names]
    return LabelFrame(tuple(labels.names[k] for k in rows), labels.codes[rows])


def drop_labels(labels: LabelFrame, names: Collection[str]) -> LabelFrame:
    """All but these labels; the same frame where it has none of them."""
    if not any(name in names for name in labels.names):
        return labels
    rows = [k for k, name in enumerate(labels.names) if name not in names]
    return LabelFrame(tuple(labels.names[k] for k in rows), labels.codes[rows])


def take_series(labels: LabelFrame, rows: NDArray[np.int64] | NDArray[np.bool_]) -> LabelFrame:
    """The labels of some series."""
    return LabelFrame(labels.names, np.ascontiguousarray(labels.codes[:, rows]))


def with_column(labels: LabelFrame, name: str, codes: NDArray[np.int32]) -> LabelFrame:
    """One label set or replaced; codes [n_series]."""
    kept = drop_labels(labels, (name,))
    return LabelFrame((*kept.names, name), np.vstack([kept.codes, codes[None, :]]))


def concatenate(first: LabelFrame, second: LabelFrame) -> LabelFrame:
    """The series of both, one after the other."""
    names = first.names + tuple(name for name in second.names if name not in first.names)
    codes = np.full((len(names), first.n_series + second.n_series), ABSENT, np.int32)
    codes[: len(first.names), : first.n_series] = first.codes
    for k, name in enumerate(second.names):
        codes[names.index(name), first.n_series :] = second.codes[k]
    return LabelFrame(names, codes)


def group_by_labels(labels: LabelFrame) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """(group of each series, first series of each group): equal label sets are one group."""
    return group_columns(labels.codes)


def distinct_codes(codes: NDArray[np.int32]) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """(distinct codes ascending, index of each code among them in the shape of `codes`)."""
    top = int(codes.max(initial=ABSENT))
    if top > 8 * codes.size + 1000:
        distinct, inverse = np.unique(codes, return_inverse=True)
        return distinct, inverse.reshape(codes.shape)
    # Fast path: codes are few and dense, so a table beats a sort. ABSENT (-1) is entry 0.
    seen = np.zeros(top + 2, np.bool_)
    seen[codes + 1] = True
    found = np.flatnonzero(seen)
    place = np.zeros(top + 2, np.int64)
    place[found] = np.arange(len(found))
    return (found - 1).astype(np.int32), place[codes + 1]


def sorted_order(labels: LabelFrame, symbols: QuerySymbols) -> NDArray[np.int64]:
    """Series in Prometheus' order of label sets: name by name, value by value, the shorter set first."""
    if labels.n_series < 2 or not labels.names:
        return np.arange(labels.n_series)
    by_name = sorted(range(len(labels.names)), key=lambda k: labels.names[k])
    codes = labels.codes[by_name]
    distinct, inverse = distinct_codes(codes)
    texts = [symbols.text(int(code)) for code in distinct]
    ranks = np.empty(len(texts), np.int64)
    ranks[sorted(range(len(texts)), key=texts.__getitem__)] = np.arange(1, len(texts) + 1)
    keys = ranks[inverse]
    # A missing label sorts by what follows: another label's name is greater, the end of the set is less.
    missing = codes == ABSENT
    more_follow = np.zeros(labels.n_series, np.bool_)
    for k in range(len(by_name) - 1, -1, -1):
        keys[k] = np.where(missing[k], np.where(more_follow, len(texts) + 1, 0), keys[k])
        more_follow |= ~missing[k]
    return np.lexsort(keys[::-1])


def labels_of(labels: LabelFrame, row: int, symbols: QuerySymbols) -> dict[str, str]:
    """One series' labels, sorted by name."""
    pairs = ((name, int(labels.codes[k, row])) for k, name in enumerate(labels.names))
    return dict(sorted((name, symbols.text(code)) for name, code in pairs if code != ABSENT))


def label_set_text(labels: LabelFrame, row: int, symbols: QuerySymbols) -> str:
    """One series' labels as Prometheus' messages show them: `{a="b", c="d"}`."""
    pairs = labels_of(labels, row, symbols)
    return "{" + ", ".join(f"{name}={quote(value)}" for name, value in pairs.items()) + "}"


def texts_of(codes: NDArray[np.int32], symbols: QuerySymbols) -> tuple[list[str], NDArray[np.int64]]:
    """(distinct strings, index into them [n]) of a label column: work on the few, not on all."""
    distinct, inverse = distinct_codes(codes)
    return [symbols.text(int(code)) for code in distinct], inverse


def same_metric(labels: LabelFrame) -> bool:
    """Whether dropping the metadata labels cannot make two label sets equal."""
    return all(
        labels.codes.shape[1] < 2 or bool((labels.codes[k] == labels.codes[k, 0]).all())
        for k, name in enumerate(labels.names)
        if name in METADATA_LABELS
    )
