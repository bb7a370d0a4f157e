"""Entropies of what was counted, in bits, by relative frequencies."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmscope.analysis.intelligence.errors import ModelError

Codes = NDArray[np.int64]


def check_states(states: ArrayLike, name: str) -> Codes:
    """Return states [n_rows, n_units] of whole numbers. Raises ModelError, which says where one is none."""
    table = np.asarray(states)
    if table.ndim != 2 or not table.size:
        raise ModelError(f"{name}: [n_rows, n_units] is needed, its shape is {list(table.shape)}")
    if table.dtype.kind not in "biuf":
        raise ModelError(f"{name}: numbers are needed, it holds {table.dtype}")
    whole = table.astype(np.int64) if table.dtype.kind != "f" else np.rint(np.nan_to_num(table)).astype(np.int64)
    bad = np.argwhere(whole != table)
    if len(bad):
        row, unit = (int(at) for at in bad[0])
        raise ModelError(f"{name}: row {row}, unit {unit} is {table[row, unit]}, not a whole number")
    return whole


def to_codes(columns: NDArray[np.int64]) -> Codes:
    """Return a number for each row of `columns` [n_rows, n_columns]: equal rows have equal ones, from 0 on."""
    codes = np.zeros(len(columns), np.int64)
    for column in columns.T:
        values, places = np.unique(column, return_inverse=True)
        # Numbered anew after each column, so that they stay below the number of rows.
        codes = np.unique(codes * len(values) + places, return_inverse=True)[1]
    return codes


def entropy(codes: Codes, weights: NDArray[np.float64] | None = None) -> float:
    """Return the entropy of codes [n_rows] from 0 on, the rows having `weights` or else equal ones."""
    p = np.bincount(codes, weights)
    p = p[p > 0] / p.sum()
    return float(-(p * np.log2(p)).sum())


def mutual_information(one: Codes, other: Codes, weights: NDArray[np.float64] | None = None) -> float:
    """Return I(one; other) of codes [n_rows] from 0 on."""
    p = np.bincount(one * (int(other.max()) + 1) + other, weights, (int(one.max()) + 1) * (int(other.max()) + 1))
    p = p.reshape(int(one.max()) + 1, -1) / p.sum()
    return max(0.0, _of_table(p.sum(axis=1)) + _of_table(p.sum(axis=0)) - _of_table(p))


def _of_table(p: NDArray[np.float64]) -> float:
    p = p[p > 0]
    return float(-(p * np.log2(p)).sum())
