"""O-information: whether many units are rather redundant (above 0) or rather synergistic (below 0).

Ω = (n − 2) H(X) + Σ_i [H(X_i) − H(X without i)], in bits (Rosas, Mediano, Gastpar & Jensen 2019, Phys. Rev. E
100:032305). It is 0 for two units.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.information.discrete import check_states, entropy, to_codes


def o_information(states: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Return Ω of states [n_rows, n_units], whole numbers, by their frequencies.

    With `weights` [n_rows], the rows are states of a known distribution. Raises ModelError, which says where, for
    states that are no whole numbers and weights that are no shares.
    """
    table = check_states(states, "states")
    n_rows, n_units = table.shape
    shares = np.ones(n_rows) if weights is None else np.asarray(weights, np.float64)
    if shares.shape != (n_rows,):
        raise ModelError(f"weights: {n_rows} rows have weights [{n_rows}], their shape is {list(shares.shape)}")
    bad = np.flatnonzero(~(np.isfinite(shares) & (shares >= 0)))
    if len(bad):
        raise ModelError(f"weights: that of row {int(bad[0])} is {shares[bad[0]]}")
    if not shares.sum() > 0:
        raise ModelError("weights: their sum is 0")
    total = (n_units - 2) * entropy(to_codes(table), shares)
    for unit in range(n_units):
        others = np.delete(table, unit, axis=1)
        total += entropy(to_codes(table[:, [unit]]), shares) - entropy(to_codes(others), shares)
    return float(total)


def gaussian_o_information(covariance: ArrayLike) -> float:
    """Return Ω of Gaussian units with a covariance [n, n].

    Raises ModelError for what is not square, finite, symmetric and positive definite.
    """
    table = np.asarray(covariance, np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not table.size:
        raise ModelError(f"covariance: [n, n] is needed, its shape is {list(table.shape)}")
    bad = np.argwhere(~np.isfinite(table))
    if len(bad):
        row, column = (int(at) for at in bad[0])
        raise ModelError(f"covariance: row {row}, column {column} is {table[row, column]}")
    bad = np.argwhere(np.abs(table - table.T) > 1e-9 * np.abs(table).max())
    if len(bad):
        raise ModelError(
            f"covariance: units {int(bad[0][0])} and {int(bad[0][1])} have two values, it is not symmetric"
        )
    deviations = np.sqrt(np.maximum(table.diagonal(), 0.0))
    if not deviations.all():
        raise ModelError(f"covariance: unit {int(np.argmin(deviations))} does not vary")
    correlation = table / np.outer(deviations, deviations)
    least = np.linalg.eigvalsh(correlation)[0]
    if least <= 1e-12:
        raise ModelError(f"covariance: not positive definite, the least eigenvalue of the correlations is {least:.3g}")
    # H(X without i) = H(X) + ½ log of i's precision, and entropies' constants cancel.
    precision = np.linalg.inv(correlation).diagonal()
    return float(-(np.linalg.slogdet(correlation)[1] + 0.5 * np.log(precision).sum()) / np.log(2))
