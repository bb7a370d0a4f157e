"""Student's and the χ² distribution, in a few lines: the server takes scores in without having SciPy in memory.

Formulae: M. Abramowitz, I. A. Stegun, Handbook of Mathematical Functions (1964), 6.5, 26.4 and 26.7.
"""

from __future__ import annotations

import math
from functools import lru_cache
from statistics import NormalDist

from swarmscope.analysis.intelligence.errors import ModelError

# From here on the expansion in powers of 1/ν is right to 1e-8.
_MANY = 60
_EPSILON = 1e-15
_MAX_TERMS = 10_000


@lru_cache(maxsize=4096)
def student_quantile(probability: float, n_free: int) -> float:
    """The t below which Student's distribution with `n_free` degrees of freedom has `probability`, 0.5 or more."""
    if not 0.5 <= probability < 1 or n_free < 1:
        raise ModelError(f"no quantile {probability} with {n_free} degrees of freedom")
    if probability == 0.5:
        return 0.0
    if n_free >= _MANY:
        return _expanded(NormalDist().inv_cdf(probability), n_free)
    inside, low, high = 2 * probability - 1, 0.0, math.pi / 2
    for _ in range(60):  # in the angle whose tangent is t/√ν: every step gives a bit
        angle = (low + high) / 2
        low, high = (angle, high) if _inside(angle, n_free) < inside else (low, angle)
    return math.tan((low + high) / 2) * math.sqrt(n_free)


def _expanded(z: float, n_free: int) -> float:
    """26.7.5."""
    squared = z * z
    terms = (
        z * (squared + 1) / 4,
        z * ((5 * squared + 16) * squared + 3) / 96,
        z * (((3 * squared + 19) * squared + 17) * squared - 15) / 384,
        z * ((((79 * squared + 776) * squared + 1482) * squared - 1920) * squared - 945) / 92160,
    )
    return z + math.fsum(term / n_free ** (power + 1) for power, term in enumerate(terms))


def _inside(angle: float, n_free: int) -> float:
    """Probability of |t| ≤ tan(angle)·√ν: 26.7.3 and 26.7.4."""
    sine, squared = math.sin(angle), math.cos(angle) ** 2
    if n_free == 1:
        return 2 * angle / math.pi
    if n_free % 2:
        term = total = math.cos(angle)
        for k in range(3, n_free - 1, 2):
            term *= squared * (k - 1) / k
            total += term
        return 2 / math.pi * (angle + sine * total)
    term = total = 1.0
    for k in range(2, n_free - 1, 2):
        term *= squared * (k - 1) / k
        total += term
    return sine * total


def chi_square_tail(value: float, n_free: int) -> float:
    """Probability of more than `value` under χ² with `n_free` degrees of freedom."""
    if n_free < 1 or not value >= 0:
        raise ModelError(f"no tail of {value} with {n_free} degrees of freedom")
    shape, x = n_free / 2, value / 2
    if x == 0:
        return 1.0
    scale = math.exp(shape * math.log(x) - x - math.lgamma(shape))
    if x < shape + 1:
        term = total = 1 / shape
        for k in range(1, _MAX_TERMS):  # 6.5.29
            term *= x / (shape + k)
            total += term
            if term < total * _EPSILON:
                break
        return max(1 - scale * total, 0.0)
    # The continued fraction 6.5.31, from its beginning (W. J. Lentz, Applied Optics 15, 1976).
    b = x + 1 - shape
    c, d = math.inf, 1 / b
    total = d
    for k in range(1, _MAX_TERMS):
        a = -k * (k - shape)
        b += 2
        d = 1 / (a * d + b)
        c = b + a / c
        total *= c * d
        if abs(c * d - 1) < _EPSILON:
            break
    return scale * total
