"""Linear Gaussian dynamics: X_t = A X_t−1 + E, given or fitted."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import solve_discrete_lyapunov

from swarmscope.analysis.intelligence.errors import ModelError

Matrix = NDArray[np.float64]
MAX_LAG = 4
# With fewer bins for each pair of units a covariance is pulled towards a multiple of the identity.
_ENOUGH_PER_PAIR = 10
# A variance, of units scaled to 1, that is rounding.
_SINGULAR = 1e-10


class VarModel(NamedTuple):
    """A stable first-order model of n units."""

    a: Matrix
    """[n, n]: what unit i takes from unit j of the step before."""
    sigma_x: Matrix
    """[n, n] covariance of the states."""
    sigma_e: Matrix
    """[n, n] covariance of what the step before does not tell."""
    n_samples: int
    """Steps that it was fitted to; 0 for a model that was given."""
    lag: int
    """The order that Schwarz's criterion prefers, of 1 to `MAX_LAG`; the model is of order 1 all the same."""
    shrinkage: float
    """How much of the covariance is the identity's, 0 to 1."""

    @property
    def n_units(self) -> int:
        """Number of units n."""
        return len(self.a)


def given_var(a: ArrayLike, sigma_e: ArrayLike) -> VarModel:
    """Return the model of known dynamics A [n, n] and noise covariance [n, n].

    Raises ModelError for other shapes, values that are not finite, dynamics that grow without bound, and a noise
    covariance that is not symmetric and positive definite.
    """
    dynamics, noise = np.asarray(a, np.float64), np.asarray(sigma_e, np.float64)
    if dynamics.ndim != 2 or dynamics.shape[0] != dynamics.shape[1] or not len(dynamics):
        raise ModelError(f"a: [n, n] is needed, its shape is {list(dynamics.shape)}")
    if noise.shape != dynamics.shape:
        raise ModelError(f"sigma_e: {list(dynamics.shape)} is needed as of a, its shape is {list(noise.shape)}")
    for name, matrix in (("a", dynamics), ("sigma_e", noise)):
        bad = np.argwhere(~np.isfinite(matrix))
        if len(bad):
            raise ModelError(f"{name}: row {bad[0][0]}, column {bad[0][1]} is {matrix[tuple(bad[0])]}")
    radius = float(np.abs(np.linalg.eigvals(dynamics)).max())
    if radius >= 1:
        raise ModelError(f"a: the greatest eigenvalue is {radius:.6g}; dynamics are stable below 1")
    if not np.allclose(noise, noise.T) or np.linalg.eigvalsh(noise).min() <= 0:
        raise ModelError("sigma_e: it is not symmetric and positive definite")
    return VarModel(dynamics, solve_discrete_lyapunov(dynamics, noise), noise, 0, 1, 0.0)


def fit_var(x: ArrayLike) -> VarModel:
    """Fit a first-order model to x [T, n], each column of which is centred and scaled to variance 1.

    The covariance of two steps is shrunk (Ledoit & Wolf 2004, Journal of Multivariate Analysis 88:365) where there are
    fewer than 10 n² steps. Raises ModelError for values that are not finite, columns that do not vary, that are
    functions of others or told without error, and fewer than 2 n + 2 steps.
    """
    values = np.asarray(x, np.float64)
    if values.ndim != 2 or not values.shape[1]:
        raise ModelError(f"x: [T, n] is needed, its shape is {list(values.shape)}")
    n_steps, n_units = values.shape
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        raise ModelError(f"x: step {bad[0][0]}, unit {bad[0][1]} is {values[tuple(bad[0])]}")
    if n_steps < 2 * n_units + 2:
        raise ModelError(f"x: {n_steps} steps are too few for {n_units} units; {2 * n_units + 2} are the least")
    deviation = values.std(axis=0)
    constant = np.flatnonzero(deviation <= 1e-12 * np.maximum(1.0, np.abs(values).max(axis=0)))
    if len(constant):
        raise ModelError(f"x: unit {constant[0]} never varies")
    scaled = (values - values.mean(axis=0)) / deviation
    both = np.concatenate([scaled[1:], scaled[:-1]], axis=1)
    both -= both.mean(axis=0)  # the first and the last step make a difference
    shrinkage = _ledoit_wolf(both) if n_steps < _ENOUGH_PER_PAIR * n_units**2 else 0.0
    covariance = both.T @ both / len(both)
    identity = np.eye(2 * n_units) * np.trace(covariance) / (2 * n_units)
    covariance = (1 - shrinkage) * covariance + shrinkage * identity
    now, across, before = covariance[:n_units, :n_units], covariance[:n_units, n_units:], covariance[n_units:, n_units:]
    _check_rank(before, "is a linear function of units before it")
    dynamics = np.linalg.solve(before, across.T).T
    noise = now - dynamics @ across.T
    _check_rank(noise, "is told without error by the step before and units before it")
    return VarModel(dynamics, before, (noise + noise.T) / 2, n_steps - 1, _preferred_lag(scaled), shrinkage)


def _check_rank(covariance: Matrix, what_it_is: str) -> None:
    """Raise ModelError, which names the first unit that adds nothing of its own to a covariance [n, n]."""
    if np.linalg.eigvalsh(covariance)[0] > _SINGULAR:
        return
    leading = range(1, len(covariance) + 1)
    unit = next(size - 1 for size in leading if np.linalg.eigvalsh(covariance[:size, :size])[0] <= _SINGULAR)
    raise ModelError(f"x: unit {unit} {what_it_is}")


def _ledoit_wolf(x: Matrix) -> float:
    """How much of the identity makes the expected squared error of the covariance of x [T, p] least."""
    n_rows, n_columns = x.shape
    covariance = x.T @ x / n_rows
    mean = np.trace(covariance) / n_columns
    distance = float(np.sum((covariance - mean * np.eye(n_columns)) ** 2))
    squares = x**2
    error = float(np.sum(squares.T @ squares / n_rows - covariance**2)) / n_rows
    return float(min(max(error, 0.0) / distance, 1.0)) if distance > 0 else 1.0


def _preferred_lag(x: Matrix) -> int:
    """The order with the least Schwarz criterion, on the same steps for all."""
    n_steps, n_units = x.shape
    most = min(MAX_LAG, max(1, (n_steps - MAX_LAG) // (3 * n_units)))
    wanted = x[most:]
    best, chosen = np.inf, 1
    for lag in range(1, most + 1):
        known = np.concatenate([x[most - back : n_steps - back] for back in range(1, lag + 1)], axis=1)
        left = wanted - known @ np.linalg.lstsq(known, wanted, rcond=None)[0]
        sign, log_det = np.linalg.slogdet(left.T @ left / len(left))
        if sign <= 0:
            break
        criterion = float(log_det) + np.log(len(left)) * lag * n_units**2 / len(left)
        if criterion < best:
            best, chosen = criterion, lag
    return chosen
