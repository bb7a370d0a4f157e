"""A network of binary units: how likely each is on next in every state, and who reaches whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmscope.analysis.intelligence.errors import ModelError

# 2^16 rows are half a megabyte a unit; no computation of ours goes further.
MAX_UNITS = 16


class Network(NamedTuple):
    """Binary units that are independent of each other given the state before. `check_network` makes it."""

    tpm: NDArray[np.float64]
    """[2^n, n]: P(unit i is on next | state s), with s = Σ x_i 2^i; averaged over units that are no inputs of i."""
    connectivity: NDArray[np.bool_]
    """[n, n], from → to."""
    stated_tpm: NDArray[np.float64]
    """[2^n, n]: as it was given."""

    @property
    def n_units(self) -> int:
        """Number of units n."""
        return len(self.connectivity)


class Subsystem(NamedTuple):
    """Some units of a network in a state, the others held as they are."""

    tpm: NDArray[np.float64]
    connectivity: NDArray[np.bool_]
    state: NDArray[np.int64]
    """[n] of 0 and 1."""
    units: tuple[int, ...]
    """Their numbers in the network, ascending."""
    stated_tpm: NDArray[np.float64]


def check_network(tpm: ArrayLike, cm: ArrayLike | None = None) -> Network:
    """Return the network of a state-by-node TPM [2^n, n] (little-endian) and its connectivity [n, n] (from → to).

    Without `cm`, unit i is an input of j where P(j is on next) differs for i on and off in some state. Raises
    ModelError, which says where, for shapes that do not fit, values that are no probabilities, and NaN.
    """
    table = _to_floats(tpm, "tpm")
    if table.ndim != 2 or not 1 <= table.shape[1] <= MAX_UNITS:
        raise ModelError(f"tpm: [2^n, n] with n from 1 to {MAX_UNITS} is needed, its shape is {list(table.shape)}")
    n_states, n_units = table.shape
    if n_states != 1 << n_units:
        raise ModelError(f"tpm: {n_units} units have {1 << n_units} states, it has {n_states} rows")
    bad = np.argwhere(~((table >= 0) & (table <= 1)))
    if len(bad):
        row, unit = (int(at) for at in bad[0])
        raise ModelError(f"tpm: row {row}, unit {unit} is {table[row, unit]}, not a probability")
    if cm is None:
        return Network(table, find_dependencies(table), table)
    connectivity = _check_connectivity(cm, n_units)
    return Network(disconnect(table[None], connectivity[None])[0], connectivity, table)


def check_state(state: ArrayLike, n_units: int) -> NDArray[np.int64]:
    """Return a state [n] as zeros and ones. Raises ModelError, which names the unit that is neither."""
    values = _to_floats(state, "state")
    if values.shape != (n_units,):
        raise ModelError(f"state: {n_units} units have a state [{n_units}], its shape is {list(values.shape)}")
    bad = np.flatnonzero((values != 0) & (values != 1))
    if len(bad):
        raise ModelError(f"state: unit {int(bad[0])} is {values[bad[0]]:g}, neither 0 nor 1")
    return values.astype(np.int64)


def find_dependencies(tpm: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which units [n, n] (from → to) a TPM depends on."""
    n_units = tpm.shape[1]
    found = np.empty((n_units, n_units), np.bool_)
    for unit in range(n_units):
        halves = tpm.reshape(-1, 2, 1 << unit, n_units)  # unit 0 varies fastest
        found[unit] = (halves[:, 0] != halves[:, 1]).any(axis=(0, 1))
    return found


def disconnect(tpms: NDArray[np.float64], cms: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Average TPMs [m, 2^n, n] of each unit over those that are no inputs of it, by connectivity [m, n, n]."""
    if cms.all():
        return tpms
    n_models, n_states, n_units = tpms.shape
    result = tpms
    for source in range(n_units):
        if cms[:, source].all():
            continue
        halves = result.reshape(n_models, n_states >> (source + 1), 2, 1 << source, n_units)
        mean = np.broadcast_to(halves.mean(axis=2, keepdims=True), halves.shape)
        result = np.where(cms[:, source][:, None, None, None, :], halves, mean).reshape(tpms.shape)
    return np.ascontiguousarray(result)


def select_subsystem(network: Network, state: ArrayLike, subsystem: Sequence[int] | None = None) -> Subsystem:
    """Return the units numbered in `subsystem` (all unless told), with the others held in `state`.

    Raises ModelError for units that are not there or named twice, and for a state that no state leads to.
    """
    at = check_state(state, network.n_units)
    units = tuple(range(network.n_units)) if subsystem is None else tuple(sorted(int(unit) for unit in subsystem))
    if not units or units[0] < 0 or units[-1] >= network.n_units or len(set(units)) != len(units):
        raise ModelError(f"subsystem: {list(units)} are not different units of 0 to {network.n_units - 1}")
    check_reachable(network.tpm[None], at[None])
    if len(units) == network.n_units:
        return Subsystem(network.tpm, network.connectivity, at, units, network.stated_tpm)
    chosen = np.array(units)
    inside = (np.arange(1 << len(units))[:, None] >> np.arange(len(units)) & 1) << chosen
    held = int((at << np.arange(network.n_units)).sum()) & ~sum(1 << unit for unit in units)
    rows = np.ix_(held + inside.sum(axis=1), chosen)
    connectivity = network.connectivity[np.ix_(chosen, chosen)]
    local = Subsystem(network.tpm[rows], connectivity, at[chosen], units, network.stated_tpm[rows])
    check_reachable(local.tpm[None], local.state[None], f"units {list(units)} with the others held: ")
    return local


def check_reachable(tpms: NDArray[np.float64], states: NDArray[np.int64], whose: str = "") -> None:
    """Raise ModelError where no state of a model [m, 2^n, n] leads to its state [m, n]."""
    likely = np.where(states[:, None, :] != 0, tpms, 1.0 - tpms).min(axis=2)  # 0 where one unit cannot
    lost = np.flatnonzero(likely.max(axis=1) <= 0)
    if len(lost):
        model = f"model {int(lost[0])}: " if len(tpms) > 1 else ""
        raise ModelError(f"state: {model}{whose}{states[lost[0]].tolist()} is unreachable: no state leads to it")


def is_strongly_connected(connectivity: NDArray[np.bool_]) -> bool:
    """Whether every unit reaches every other along connections [n, n]."""
    reach = connectivity | np.eye(len(connectivity), dtype=np.bool_)
    for _ in range(len(connectivity).bit_length()):
        reach = reach @ reach
    return bool(reach.all())


def _check_connectivity(cm: ArrayLike, n_units: int) -> NDArray[np.bool_]:
    values = _to_floats(cm, "cm")
    if values.shape != (n_units, n_units):
        raise ModelError(f"cm: {n_units} units need [{n_units}, {n_units}], its shape is {list(values.shape)}")
    bad = np.argwhere((values != 0) & (values != 1))
    if len(bad):
        source, target = (int(at) for at in bad[0])
        raise ModelError(f"cm: from {source} to {target} is {values[source, target]:g}, neither 0 nor 1")
    return values.astype(np.bool_)


def _to_floats(values: ArrayLike, name: str) -> NDArray[np.float64]:
    try:
        return np.ascontiguousarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ModelError(f"{name}: it is no table of numbers ({error})") from None
