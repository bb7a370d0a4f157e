"""Effective information of binary units, and what of it the minimum information partition loses.

EI(M) = I(M_t; M_t+1) in bits, with M uniform at t and all other units replaced by uniform noise
(Tononi & Sporns 2003, BMC Neuroscience 4:31; Hoel, Albantakis & Tononi 2013, PNAS 110:19790). Of a partition into A
and B, φ = EI(A ∪ B) − EI(A) − EI(B) ≥ 0; the minimum information partition has the least φ / min(|A|, |B|).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import ArrayLike, NDArray

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.iit3.network import check_network

# 6^n steps: a dozen units take two seconds, two more 36 times as long.
MAX_UNITS = 12
# As many steps as 4^n; it is the whole alone.
MAX_UNITS_OF_WHOLE = 15
# Of the units of a part, so many are multiplied out apart from the others: the rest makes long loops.
_N_HIGH = 2
# Partitions that are equal but for rounding.
_TIE_BITS = 1e-9

# Of IEEE 754 doubles: √½, what is added to the bits so that its exponent begins there, and the double 2^52, whose low
# bits are an integer.
_ROOT = np.uint64(0x3FE6A09E667F3BCD)
_FROM_ROOT = np.uint64(0x3FF0000000000000 - 0x3FE6A09E667F3BCD)
_MANTISSA = np.uint64(0x000FFFFFFFFFFFFF)
_MANTISSA_BITS = np.uint64(52)
_TWO_TO_52 = np.uint64(0x4330000000000000)
_EXPONENT_OFFSET = 2.0**52 + 1023.0
_TWO_LOG2_E = 2.0 / np.log(2.0)


class EiMip(NamedTuple):
    """Effective information, and what the minimum information partition loses of it."""

    ei: float
    """Bits, of the whole."""
    phi: float
    """Bits, EI of the whole less EI of both parts."""
    normalised: float
    """`phi` by the number of units of the smaller part; it does not jump where a partition of other sizes wins."""
    parts: tuple[tuple[int, ...], tuple[int, ...]]
    """Units of both parts, that of unit 0 first. Of partitions that tie, that of least `phi`, then of lowest number."""


def effective_information(tpm: ArrayLike) -> float:
    """Return EI in bits of a state-by-node TPM [2^n, n] of at most `MAX_UNITS_OF_WHOLE` units.

    Raises ModelError for what is no TPM, and for more units.
    """
    network = check_network(tpm)
    if network.n_units > MAX_UNITS_OF_WHOLE:
        raise ModelError(f"tpm: of {network.n_units} units; effective information takes {MAX_UNITS_OF_WHOLE} at most")
    return float(_information(network.tpm, (1 << network.n_units) - 1))


def integrated_effective_information(tpm: ArrayLike) -> EiMip:
    """Return EI − EI at the minimum information partition, over all partitions of at most `MAX_UNITS` units.

    A single unit has no partition: φ is 0 and its second part empty. Raises ModelError for what is no TPM, and for
    more units.
    """
    network = check_network(tpm)
    n_units = network.n_units
    if n_units > MAX_UNITS:
        raise ModelError(f"tpm: of {n_units} units; all partitions are looked at for {MAX_UNITS} at most")
    phi, normalised, ei, parts = ei_mip_of_models(network.tpm[None])
    first = int(parts[0])
    units = range(n_units)
    return EiMip(
        float(ei[0]),
        float(phi[0]),
        float(normalised[0]),
        (tuple(unit for unit in units if first >> unit & 1), tuple(unit for unit in units if not first >> unit & 1)),
    )


class EiMips(NamedTuple):
    """`EiMip` of many models."""

    phi: NDArray[np.float64]
    """[m] bits."""
    normalised: NDArray[np.float64]
    """[m] bits."""
    ei: NDArray[np.float64]
    """[m] bits."""
    part: NDArray[np.int64]
    """[m] bit i is set where unit i is in the first part, that of unit 0."""


def ei_mip_of_models(tpms: NDArray[np.float64]) -> EiMips:
    """Return `EiMip` of each of many models: state-by-node TPMs [m, 2^n, n], which are not checked."""
    tpms = np.ascontiguousarray(tpms, np.float64)
    n_models = len(tpms)
    result = EiMips(np.empty(n_models), np.empty(n_models), np.empty(n_models), np.empty(n_models, np.int64))
    _minimise(tpms, result)
    return result


@njit(nogil=True, cache=True)
def _minimise(tpms: NDArray[np.float64], result: EiMips) -> None:
    n_models, _, n_units = tpms.shape
    whole = (1 << n_units) - 1
    known = np.empty(whole + 1)
    for model in range(n_models):
        known[0] = 0.0
        for mask in range(1, whole + 1):
            known[mask] = _information(tpms[model], mask)
        best, best_phi, chosen = np.inf, np.inf, whole
        for part in range(1, whole, 2):
            phi = known[whole] - known[part] - known[whole ^ part]
            scaled = phi / min(_n_set(part), _n_set(whole ^ part))
            is_less = scaled < best - _TIE_BITS
            if is_less or (scaled < best + _TIE_BITS and phi < best_phi - _TIE_BITS):
                best, best_phi, chosen = scaled, phi, part
        found = best < np.inf
        # What is below nothing is rounding.
        result.phi[model] = max(0.0, best_phi) if found else 0.0
        result.normalised[model] = max(0.0, best) if found else 0.0
        result.ei[model], result.part[model] = known[whole], chosen


@njit(nogil=True, cache=True)
def _n_set(mask: int) -> int:
    n = 0
    while mask:
        mask &= mask - 1
        n += 1
    return n


@njit(nogil=True, cache=True)
def _information(tpm: NDArray[np.float64], mask: int) -> float:
    """EI of the units in `mask`, the others uniform noise: 2^(n + |mask|) steps."""
    n_units = tpm.shape[1]
    units = np.empty(n_units, np.int64)
    n_inside = 0
    for unit in range(n_units):
        if mask >> unit & 1:
            units[n_inside] = unit
            n_inside += 1
    n_outside_states = 1 << (n_units - n_inside)
    n_states = 1 << n_inside
    outside = ~mask & ((1 << n_units) - 1)
    mean, row = np.zeros(n_states), np.empty(n_states)
    halves = np.empty((2, 1 << max(_N_HIGH, n_inside - _N_HIGH)))
    scratch = np.empty((2, n_states))
    noise = 0.0
    inside = 0  # runs over the subsets of `mask`
    for _ in range(n_states):
        row[:] = 0.0
        rest = 0  # runs over the subsets of `outside`
        for _ in range(n_outside_states):
            _add_joint(tpm[inside | rest], units[:n_inside], halves, row)
            rest = (rest - outside) & outside
        mean += row
        noise += _entropy(row, scratch)
        inside = (inside - mask) & mask
    # Rows are sums of `n_outside_states` distributions, whose common factor is taken out of their entropies here.
    entropy = _entropy(mean, scratch) / n_states
    return float(max(0.0, (entropy - noise / n_states) / n_outside_states + n_inside))


@njit(nogil=True, cache=True, fastmath={"contract"}, error_model="numpy")
def _entropy(weights: NDArray[np.float64], scratch: NDArray[np.float64]) -> float:
    """Return −Σ w log2 w; `scratch` [2, at least as many] is written to.

    Half of the time of a partition search is logarithms, and this one fills the processor's vectors: w = 2^e m with m
    in √½ to √2 by the bits of w, and log2 m by the series of artanh((m − 1)/(m + 1)), whose rest is below 1e-14.
    For w = 0 it is finite too, which leaves no branch.
    """
    n = len(weights)
    mantissa, exponent = scratch[0, :n], scratch[1, :n]
    bits, mantissa_bits, exponent_bits = weights.view(np.uint64), mantissa.view(np.uint64), exponent.view(np.uint64)
    for at in range(n):
        moved = bits[at] + _FROM_ROOT
        mantissa_bits[at] = (moved & _MANTISSA) + _ROOT
        exponent_bits[at] = (moved >> _MANTISSA_BITS) | _TWO_TO_52
    for at in range(n):
        m = mantissa[at]
        s = (m - 1.0) / (m + 1.0)
        q = s * s
        series = q * (1.0 / 17.0) + 1.0 / 15.0
        series = series * q + 1.0 / 13.0
        series = series * q + 1.0 / 11.0
        series = series * q + 1.0 / 9.0
        series = series * q + 1.0 / 7.0
        series = series * q + 1.0 / 5.0
        series = series * q + 1.0 / 3.0
        series = series * q + 1.0
        mantissa[at] = weights[at] * ((exponent[at] - _EXPONENT_OFFSET) + _TWO_LOG2_E * s * series)
    return -_total(mantissa)


@njit(nogil=True, cache=True, fastmath={"reassoc"})
def _total(x: NDArray[np.float64]) -> float:
    total = 0.0
    for value in x:
        total += value
    return total


@njit(nogil=True, cache=True)
def _add_joint(
    on: NDArray[np.float64], units: NDArray[np.int64], halves: NDArray[np.float64], row: NDArray[np.float64]
) -> None:
    """Add to `row` how likely each next state of `units` is, which are independent given the state before.

    The first units' states and the others' are multiplied out apart, so that a step of the whole is one product.
    """
    n_low = max(0, len(units) - _N_HIGH)
    low, high = halves[0], halves[1]
    _multiply_out(on, units[:n_low], low)
    _multiply_out(on, units[n_low:], high)
    n_low_states = 1 << n_low
    for upper in range(1 << (len(units) - n_low)):
        p = high[upper]
        if p != 0.0:
            wanted = row[upper * n_low_states : (upper + 1) * n_low_states]
            for lower in range(n_low_states):
                wanted[lower] += p * low[lower]


@njit(nogil=True, cache=True)
def _multiply_out(on: NDArray[np.float64], units: NDArray[np.int64], joint: NDArray[np.float64]) -> None:
    size = 1
    joint[0] = 1.0
    for unit in units:
        p = on[unit]
        for state in range(size):
            both = joint[state] * p
            joint[size + state] = both
            joint[state] -= both
        size *= 2
