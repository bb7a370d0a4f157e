"""The least cut of a symmetric submodular function: the mutual information of two sets of Gaussian variables.

Queyranne 1998 (Mathematical Programming 82:3) finds it with O(n³) values of the function. Here those of one growing set
and every candidate come from one covariance, given the set, and one precision, without it, so that a step is O(n²).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.errors import ModelError

Matrix = NDArray[np.float64]


class _Pair(NamedTuple):
    """The last two groups of an order; the least cut that parts them takes the last one alone."""

    last_but_one: int
    last: int
    value: float


def least_cut(covariance: Matrix, width: int) -> tuple[int, ...]:
    """Return the units on one side, that of unit 0, of the cut with the least mutual information.

    `covariance` is [n · width, n · width], the variables of a unit side by side; n ≥ 2. Raises ModelError where it is
    not positive definite.
    """
    return pendent_cuts(covariance, width)[0]


def pendent_cuts(covariance: Matrix, width: int) -> list[tuple[int, ...]]:
    """Return the n − 1 cuts that the search for `least_cut` compares, that with the least mutual information first."""
    n_units = len(covariance) // width
    groups = [np.arange(width) + width * unit for unit in range(n_units)]
    members = [[unit] for unit in range(n_units)]
    found: list[tuple[float, tuple[int, ...]]] = []
    try:
        precision = np.asarray(np.linalg.inv(covariance), np.float64)
        alone = {id(group): _log_det(covariance, group) + _log_det(precision, group) for group in groups}
        while len(groups) > 1:
            pair = _pendent_pair(groups, [alone[id(group)] for group in groups], covariance, precision)
            side = set(members[pair.last])
            found.append((pair.value, tuple(unit for unit in range(n_units) if (unit in side) == (0 in side))))
            merged = np.concatenate([groups[pair.last_but_one], groups[pair.last]])
            joined = sorted(members[pair.last_but_one] + members[pair.last])
            keep = [at for at in range(len(groups)) if at not in pair[:2]]
            groups, members = [groups[at] for at in keep] + [merged], [members[at] for at in keep] + [joined]
            alone[id(merged)] = _log_det(covariance, merged) + _log_det(precision, merged)
    except np.linalg.LinAlgError as error:
        raise ModelError(f"the covariance of the units is not positive definite: {error}") from error
    return [side for _, side in sorted(found)]


def _pendent_pair(groups: list[NDArray[np.intp]], alone: list[float], covariance: Matrix, precision: Matrix) -> _Pair:
    """Order the groups so that each next has the least f(W ∪ u) − f(u); the last two are a pendent pair.

    f(S) = log det Σ_S + log det Σ_rest, but for a constant. `given` is the covariance of what is left given W, and
    `without` the precision of what is left once W is gone.
    """
    left = list(range(1, len(groups)))
    given, without = covariance, precision
    order = [0]
    while len(left) > 1:
        given, without = _without(given, groups[order[-1]]), _without(without, groups[order[-1]])
        # log det Σ_W∪u is that of W and that of u given W; that of the rest loses that of u given all others left.
        keys = [_log_det(given, groups[at]) + _log_det(without, groups[at]) - alone[at] for at in left]
        order.append(left.pop(int(np.argmin(keys))))
    last = left[0]
    return _Pair(order[-1], last, alone[last])


def _without(matrix: Matrix, group: NDArray[np.intp]) -> Matrix:
    """Schur's complement of a group: of a covariance, the others' given it; of a precision, the others' without it."""
    columns = matrix[:, group]
    left: Matrix = matrix - columns @ np.linalg.solve(matrix[np.ix_(group, group)], columns.T)
    return left


def _log_det(matrix: Matrix, group: NDArray[np.intp]) -> float:
    sign, value = np.linalg.slogdet(matrix[np.ix_(group, group)])
    if sign <= 0:
        raise np.linalg.LinAlgError("a determinant is not above zero")
    return float(value)
