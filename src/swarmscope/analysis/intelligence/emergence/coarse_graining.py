"""Causal emergence: a coarse-grained system whose effective information exceeds that of its units.

Hoel, Albantakis & Tononi 2013, PNAS 110:19790. Of N states with transition rows, EI = H(mean row) − mean H(row);
determinism = 1 − mean H(row) / log2 N, degeneracy = 1 − H(mean row) / log2 N, so EI / log2 N is their difference.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.iit3.network import check_network

MAX_UNITS = 6
"""Of the search; their 203 ways to be grouped make 3,894 macro systems."""
MAX_STATES = 1 << 12
_TIE_BITS = 1e-9
_ROUNDING = 1e-9

Matrix = NDArray[np.float64]
Codes = NDArray[np.int64]


class Effectiveness(NamedTuple):
    """How much an intervention on a system tells of what comes next."""

    ei: float
    """Bits."""
    determinism: float
    """0 to 1: how little noise is in what follows a state."""
    degeneracy: float
    """0 to 1: how far states lead to the same."""


class CausalEmergence(NamedTuple):
    """A macro system beside the micro system that it is made of."""

    emergence: float
    """Bits, EI(macro) − EI(micro); above 0 the macro system tells more."""
    micro: Effectiveness
    macro: Effectiveness


class MacroUnit(NamedTuple):
    """A unit of a macro system."""

    units: tuple[int, ...]
    on_counts: tuple[int, ...]
    """It is on where so many of `units` are."""


class MacroSearch(NamedTuple):
    """The macro system with the greatest EI."""

    found: CausalEmergence
    macro_units: tuple[MacroUnit, ...]
    grouping: tuple[int, ...]
    """[2^n] macro state of each micro state, little-endian in `macro_units`."""
    n_searched: int


def effectiveness(matrix: ArrayLike) -> Effectiveness:
    """Return EI, determinism and degeneracy of a state-by-state matrix [N, N], each state as likely as the others.

    Raises ModelError, which names the row, for what is not square and for rows that are no distributions.
    """
    return _effectiveness(_check_matrix(matrix))


def causal_emergence(tpm: ArrayLike, grouping: Sequence[int]) -> CausalEmergence:
    """Return how much more the stated macro system tells than the micro system.

    `tpm` is state-by-state [N, N] where it is square and its rows have the sum 1, else state-by-node [2^n, n];
    `grouping` [N] holds the macro state of each micro state, 0 to K − 1. A macro state is set by setting each of its
    micro states as often as the others. Raises ModelError for what is none, and for macro states that are left out.
    """
    matrix = to_state_by_state(tpm)
    macro_of = _check_grouping(grouping, len(matrix))
    return _compare(matrix, macro_of, _effectiveness(matrix))


def find_macro(tpm: ArrayLike) -> MacroSearch:
    """Return the macro system with the greatest EI, of state-by-node TPMs [2^n, n] of at most `MAX_UNITS` units.

    Macro units are binary and are made of groups of units, by how many of a group's units are on; every partition
    of the units and every such mapping is looked at but for the micro system itself. Of those that tie, the one with
    the most macro units, then the first. A maximum over so many is no test: report `n_searched` beside it. Raises
    ModelError for what is no TPM, a single unit, and more units.
    """
    network = check_network(tpm)
    n_units = network.n_units
    if not 2 <= n_units <= MAX_UNITS:
        raise ModelError(f"tpm: of {n_units} units; coarse-grainings of 2 to {MAX_UNITS} units are searched")
    matrix = _multiply_out(network.tpm)
    micro = _effectiveness(matrix)
    # Any macro system is better than none.
    best: tuple[CausalEmergence, tuple[MacroUnit, ...], Codes]
    best = CausalEmergence(-np.inf, micro, micro), (), np.zeros(0, np.int64)
    n_searched = 0
    for macro_units in _macro_systems(n_units):
        macro_of = _macro_states(macro_units, n_units)
        compared = _compare(matrix, macro_of, micro)
        n_searched += 1
        if _is_better(compared, macro_units, best):
            best = compared, macro_units, macro_of
    return MacroSearch(best[0], best[1], tuple(int(state) for state in best[2]), n_searched)


def to_state_by_state(tpm: ArrayLike) -> Matrix:
    """Return the state-by-state matrix [N, N] of one, or of a state-by-node TPM [2^n, n].

    Raises ModelError for what is neither.
    """
    table = np.asarray(tpm, np.float64)
    # No state-by-node table is square: 2^n is n for no n.
    if table.ndim == 2 and table.shape[0] == table.shape[1] and table.shape[0] > 1:
        return _check_matrix(table)
    network = check_network(table)
    if len(network.tpm) > MAX_STATES:
        raise ModelError(f"tpm: {len(network.tpm)} states; {MAX_STATES} at most")
    return _multiply_out(network.tpm)


def _multiply_out(tpm: Matrix) -> Matrix:
    """State-by-state [2^n, 2^n] of units that are independent given the state before."""
    matrix = np.ones((len(tpm), 1))
    for p in tpm.T:
        matrix = np.concatenate([matrix * (1 - p)[:, None], matrix * p[:, None]], axis=1)
    return matrix


def _check_matrix(matrix: ArrayLike) -> Matrix:
    table = np.asarray(matrix, np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not 1 < len(table) <= MAX_STATES:
        raise ModelError(f"matrix: [N, N] with N from 2 to {MAX_STATES} is needed, its shape is {list(table.shape)}")
    bad = np.argwhere(~((table >= 0) & (table <= 1 + _ROUNDING)))
    if len(bad):
        row, column = (int(at) for at in bad[0])
        raise ModelError(f"matrix: row {row}, column {column} is {table[row, column]}, not a probability")
    sums = table.sum(axis=1)
    off = np.flatnonzero(np.abs(sums - 1) > 1e-6)
    if len(off):
        raise ModelError(f"matrix: row {int(off[0])} has the sum {sums[off[0]]:.6g}, not 1")
    return table


def _check_grouping(grouping: Sequence[int], n_states: int) -> Codes:
    macro_of = np.asarray(grouping)
    if macro_of.shape != (n_states,) or macro_of.dtype.kind not in "iu":
        raise ModelError(
            f"grouping: the macro state of each of {n_states} states is needed, whole numbers; "
            f"it is {macro_of.dtype} {list(macro_of.shape)}"
        )
    negative = np.flatnonzero(macro_of < 0)
    if len(negative):
        raise ModelError(f"grouping: state {int(negative[0])} has the macro state {macro_of[negative[0]]}")
    n_macro = int(macro_of.max()) + 1
    if n_macro > n_states:
        raise ModelError(f"grouping: macro state {n_macro - 1} of {n_states} states; they count from 0")
    empty = np.flatnonzero(np.bincount(macro_of.astype(np.int64), minlength=n_macro) == 0)
    if len(empty):
        raise ModelError(f"grouping: macro state {int(empty[0])} has no micro state")
    if n_macro < 2:
        raise ModelError("grouping: a single macro state tells nothing; two or more are needed")
    return macro_of.astype(np.int64)


def _effectiveness(matrix: Matrix) -> Effectiveness:
    most = float(np.log2(len(matrix)))
    noise = float(_entropies(matrix).mean())
    spread = float(_entropies(matrix.mean(axis=0)[None])[0])
    return Effectiveness(max(0.0, spread - noise), 1 - noise / most, 1 - spread / most)


def _entropies(rows: Matrix) -> Matrix:
    """Bits, of each row."""
    logarithms = np.log2(rows, out=np.zeros_like(rows), where=rows > 0)
    return np.asarray(-(rows * logarithms).sum(axis=1))


def _compare(matrix: Matrix, macro_of: Codes, micro: Effectiveness) -> CausalEmergence:
    members = np.eye(int(macro_of.max()) + 1)[macro_of]
    macro = _effectiveness(members.T @ matrix @ members / members.sum(axis=0)[:, None])
    return CausalEmergence(macro.ei - micro.ei, micro, macro)


def _is_better(
    compared: CausalEmergence,
    macro_units: tuple[MacroUnit, ...],
    best: tuple[CausalEmergence, tuple[MacroUnit, ...], Codes],
) -> bool:
    more = compared.emergence - best[0].emergence
    return more > _TIE_BITS or (more > -_TIE_BITS and len(macro_units) > len(best[1]))


def _macro_systems(n_units: int) -> Iterator[tuple[MacroUnit, ...]]:
    """All but the micro system; of a mapping and its negation, which differ by a name, the one that is off at 0."""
    for groups in _partitions(tuple(range(n_units))):
        if len(groups) < n_units:
            yield from itertools.product(*(_mappings(group) for group in groups))


def _mappings(group: tuple[int, ...]) -> list[MacroUnit]:
    counts = range(1, len(group) + 1)
    chosen = (some for size in counts for some in itertools.combinations(counts, size))
    return [MacroUnit(group, some) for some in chosen]


def _partitions(units: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], ...]]:
    if not units:
        yield ()
        return
    first, rest = units[0], units[1:]
    for size in range(len(rest) + 1):
        for others in itertools.combinations(rest, size):
            left = tuple(unit for unit in rest if unit not in others)
            for partition in _partitions(left):
                yield ((first, *others), *partition)


def _macro_states(macro_units: tuple[MacroUnit, ...], n_units: int) -> Codes:
    states = np.arange(1 << n_units)
    macro_of = np.zeros(len(states), np.int64)
    for place, unit in enumerate(macro_units):
        count = sum((states >> member) & 1 for member in unit.units)
        macro_of |= np.isin(count, unit.on_counts).astype(np.int64) << place
    return macro_of
