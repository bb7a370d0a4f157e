"""topk and bottomk: which series of a group a step keeps, tie for tie as Prometheus' heaps do."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.query.promql.aggregate_kernels import Grouped


@njit(nogil=True, cache=True, error_model="numpy", inline="always")
def _below(a: float, b: float, sign: float) -> bool:
    """The heap's order: NaN first, then by value (by falling value for sign -1)."""
    return math.isnan(a) or sign * a < sign * b


@njit(nogil=True, cache=True, error_model="numpy")
def _sift_up(heap: NDArray[np.int64], column: NDArray[np.float64], sign: float, at: int) -> None:
    while at > 0:
        parent = (at - 1) // 2
        if not _below(column[heap[at]], column[heap[parent]], sign):
            return
        heap[at], heap[parent] = heap[parent], heap[at]
        at = parent


@njit(nogil=True, cache=True, error_model="numpy")
def _sift_down(heap: NDArray[np.int64], column: NDArray[np.float64], sign: float, size: int) -> None:
    at = 0
    while True:
        child = 2 * at + 1
        if child >= size:
            return
        if child + 1 < size and _below(column[heap[child + 1]], column[heap[child]], sign):
            child += 1
        if not _below(column[heap[child]], column[heap[at]], sign):
            return
        heap[at], heap[child] = heap[child], heap[at]
        at = child


@njit(nogil=True, cache=True, error_model="numpy")
def _sort_best_first(heap: NDArray[np.int64], column: NDArray[np.float64], sign: float, size: int) -> None:
    """Stable insertion sort, best first, NaN last."""
    for i in range(1, size):
        j = i
        while (
            j > 0
            and _below(column[heap[j - 1]], column[heap[j]], sign)
            and not _below(column[heap[j]], column[heap[j - 1]], sign)
        ):
            heap[j], heap[j - 1] = heap[j - 1], heap[j]
            j -= 1


@njit(nogil=True, cache=True, error_model="numpy")
def select_best(
    cells: Grouped,
    members: tuple[NDArray[np.int64], NDArray[np.int64]],
    limits: NDArray[np.int64],
    largest: bool,
    chosen: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Mark the limits[step] best cells of every group in `chosen` [n_series, n_steps].

    Returns the series chosen at the last step, group by group, best first.
    """
    offsets, order = members
    sign = 1.0 if largest else -1.0
    n_steps = cells.values.shape[1]
    column = np.empty(cells.values.shape[0])
    ranked = np.empty(cells.values.shape[0], np.int64)
    n_ranked = 0
    for step in range(n_steps):
        limit = limits[step]
        if limit < 1:
            continue
        column[:] = cells.values[:, step]
        for g in range(len(offsets) - 1):
            heap = np.empty(min(limit, offsets[g + 1] - offsets[g]), np.int64)
            size = 0
            for k in range(offsets[g], offsets[g + 1]):
                i = order[k]
                if not cells.present[i, step]:
                    continue
                if size < limit:
                    heap[size] = i
                    _sift_up(heap, column, sign, size)
                    size += 1
                    continue
                worst = column[heap[0]]
                if sign * worst < sign * column[i] or (math.isnan(worst) and not math.isnan(column[i])):
                    heap[0] = i
                    _sift_down(heap, column, sign, size)
            for k in range(size):
                chosen[heap[k], step] = True
            if step == n_steps - 1:
                _sort_best_first(heap, column, sign, size)
                for k in range(size):
                    ranked[n_ranked] = heap[k]
                    n_ranked += 1
    return ranked[:n_ranked].copy()


@njit(nogil=True, cache=True, error_model="numpy")
def select_first(
    cells: Grouped,
    members: tuple[NDArray[np.int64], NDArray[np.int64]],
    limits: NDArray[np.int64],
    chosen: NDArray[np.bool_],
) -> None:
    """Mark the first limits[step] present cells of every group."""
    offsets, order = members
    for step in range(cells.values.shape[1]):
        for g in range(len(offsets) - 1):
            left = limits[step]
            for k in range(offsets[g], offsets[g + 1]):
                if left < 1:
                    break
                i = order[k]
                if cells.present[i, step]:
                    chosen[i, step] = True
                    left -= 1
