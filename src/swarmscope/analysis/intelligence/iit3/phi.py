"""Φ by IIT 3.0 of a network of binary units in a state, exact.

The definition is of M. Oizumi, L. Albantakis, G. Tononi, PLoS Comput. Biol. 10:e1003588 (2014): the earth mover's
distance both between repertoires and between cause-effect structures, partitions of mechanisms in two, and cuts in one
direction. Under ties it is not unique; ours are decided as `concepts` tells.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.iit3.concepts import CAUSE, CONCEPT, EFFECT, System, fill_structure
from swarmscope.analysis.intelligence.iit3.cuts import (
    TIE,
    Workplace,
    begin,
    make_workplace,
    measure_cuts,
    share_workplace,
    targets_of,
)
from swarmscope.analysis.intelligence.iit3.network import (
    Network,
    Subsystem,
    check_network,
    check_reachable,
    disconnect,
    is_strongly_connected,
    select_subsystem,
)
from swarmscope.analysis.intelligence.iit3.result import Concept, Cut, PhiResult
from swarmscope.analysis.intelligence.iit3.subsets import to_units
from swarmscope.analysis.intelligence.information.effective_information import effective_information
from swarmscope.analysis.intelligence.telemetry.watch import Cancelled, Progress, Watch

MAX_UNITS = 8
# From here on mechanisms and cuts are given out one by one to threads; below, all takes less than a second.
_MIN_SHARED_UNITS = 7
# How often it is asked whether the result is still wanted, while threads are at work.
_POLL_S = 0.2


def compute_phi(
    network: Network,
    state: ArrayLike,
    *,
    subsystem: Sequence[int] | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> PhiResult:
    """Return Φ of a network, or of some of its units with the others held, in a `state` [n] of the whole network.

    Up to 6 units take less than a second or two, 7 some ten seconds, 8 minutes on all processors; `progress` is told
    which part is done, and ComputationCancelledError is raised where `cancelled` says so. Raises ModelError for a state
    or units that are none, for a state that no state leads to, and beyond 8 units.
    """
    units = select_subsystem(network, state, subsystem)
    n_units = len(units.units)
    if n_units > MAX_UNITS:
        raise ModelError(f"subsystem: {n_units} units are too many for Φ by IIT 3.0, which takes {MAX_UNITS}")
    watch = Watch(progress, cancelled)
    watch.done(0.0)
    if n_units < 2 or not is_strongly_connected(units.connectivity):
        return _to_result(units, None, np.zeros(0))
    place = make_workplace(n_units)
    begin(units.tpm, _number_of(units.state), place)
    measure = _measure_here if n_units < _MIN_SHARED_UNITS else _measure_shared
    changed = measure(place, watch)
    watch.done(1.0)
    return _to_result(units, place, changed)


def phi_of_models(tpms: NDArray[np.float64], cms: NDArray[np.bool_], states: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return Φ [m] of many models: TPMs [m, 2^n, n], connectivities [m, n, n] (from → to), states [m, n], n ≤ 8.

    Holds no lock while at work. Raises ModelError, which names the model, for what `check_network` and `compute_phi`
    refuse.
    """
    tables = np.ascontiguousarray(tpms, np.float64)
    connections, now = np.asarray(cms).astype(np.bool_), np.asarray(states).astype(np.int64)
    _check_models(tables, connections, now)
    n_models, n_units = now.shape
    tables = disconnect(tables, connections)
    check_reachable(tables, now)
    result = np.zeros(n_models)
    connected = np.array([is_strongly_connected(each) for each in connections], np.bool_)
    if n_units >= 2 and connected.any():
        place, watch = make_workplace(n_units), Watch()
        for model in np.flatnonzero(connected):
            begin(tables[model], _number_of(now[model]), place)
            changed = _measure_here(place, watch)
            result[model] = changed.min() if len(changed) else 0.0
    return result


def warm_up() -> None:
    """Compile or load all that Φ needs: seconds the first time after an installation."""
    swap = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    phi_of_models(swap[None], np.ones((1, 2, 2), np.bool_), np.zeros((1, 2), np.int64))
    compute_phi(check_network(swap), [0, 0])


def _measure_here(place: Workplace, watch: Watch) -> NDArray[np.float64]:
    """Return what each cut changes, infinity where it is not the least."""
    whole = place.whole
    targets = targets_of(whole.subsets.n_units)
    fill_structure(place.mechanisms, 0, whole, whole, place.room)
    if not whole.structure.phi[CONCEPT].any():
        return np.zeros(0)
    changed, best = np.empty(len(targets)), np.full(1, np.inf)
    step = len(targets) if len(targets) < 60 else 8  # one of 6 units is cancelled within its tenth part
    for first in range(0, len(targets), step):
        measure_cuts(targets[first : first + step], best, place, changed[first : first + step])
        watch.done((first + step) / len(targets))
    return changed


def _measure_shared(place: Workplace, watch: Watch) -> NDArray[np.float64]:
    """Return what `_measure_here` returns, by as many threads as there are processors."""
    whole = place.whole
    n_threads = os.cpu_count() or 1
    targets = targets_of(whole.subsets.n_units)
    changed, best = np.full(len(targets), np.inf), np.full(1, np.inf)

    def specify(mine: Workplace, mechanism: int) -> None:
        fill_structure(np.array([mechanism]), 0, whole, whole, mine.room)

    def measure(mine: Workplace, number: int) -> None:
        # What another thread lowers at the same time may be lost for a while, which costs only time.
        measure_cuts(targets[number : number + 1], best, mine, changed[number : number + 1])

    # Mechanisms with most units take longest, and would be waited for at the end.
    mechanisms = np.argsort(-whole.subsets.sizes[1:], kind="stable") + 1
    places = [
        place._replace(room=share_workplace(place).room._replace(memory=place.room.memory)) for _ in range(n_threads)
    ]
    _share_out(specify, mechanisms, places, lambda part: watch.done(0.3 * part))
    if not whole.structure.phi[CONCEPT].any():
        return np.zeros(0)
    places = [share_workplace(place) for _ in range(n_threads)]
    _share_out(measure, np.arange(len(targets)), places, lambda part: watch.done(0.3 + 0.7 * part))
    return changed


def _share_out(
    work: Callable[[Workplace, int], None],
    numbers: NDArray[np.int64],
    places: list[Workplace],
    done: Callable[[float], None],
) -> None:
    """Call `work` for all numbers, in a thread for each place; what `done` raises ends all within one call."""
    is_wanted = True

    def run(place: Workplace, mine: Iterator[int]) -> None:
        for number in mine:
            if not is_wanted:
                return
            work(place, number)
            finished.append(number)

    finished: list[int] = []
    left = iter(numbers.tolist())  # a list's iterator gives each number to one thread
    with ThreadPoolExecutor(len(places), "phi") as threads:
        waiting: set[Future[None]] = {threads.submit(run, place, left) for place in places}
        try:
            while waiting:
                ended, waiting = wait(waiting, _POLL_S, FIRST_COMPLETED)
                for future in ended:
                    future.result()
                done(len(finished) / len(numbers))
        finally:
            is_wanted = False


def _to_result(units: Subsystem, place: Workplace | None, changed: NDArray[np.float64]) -> PhiResult:
    concepts: tuple[Concept, ...] = ()
    partitioned: tuple[Concept, ...] = ()
    tied: tuple[Cut, ...] = ()
    phi = 0.0
    if place is not None:
        concepts = _to_concepts(place.whole, units.units)
    if place is not None and len(changed):
        phi = float(changed.min())
        everything = (1 << len(units.units)) - 1
        targets = [int(target) for target in targets_of(len(units.units))[changed <= phi + TIE]]
        targets.sort(key=lambda target: (-target.bit_count(), to_units(everything ^ target)))
        tied = tuple(Cut(_named(everything ^ target, units.units), _named(target, units.units)) for target in targets)
        measure_cuts(np.array(targets[:1]), np.full(1, np.inf), place, np.empty(1))
        partitioned = _to_concepts(place.cut, units.units)
    return PhiResult(
        phi=phi,
        mip=tied[0] if tied else None,
        tied_cuts=tied,
        concepts=concepts,
        partitioned_concepts=partitioned,
        sum_small_phi=sum(concept.phi for concept in concepts),
        ei=effective_information(units.stated_tpm),
        units=units.units,
        state=tuple(units.state.tolist()),
    )


def _to_concepts(system: System, units: tuple[int, ...]) -> tuple[Concept, ...]:
    # Lists, for NumPy takes far longer to look up one number than all that follows.
    phi, purviews = system.structure.phi.tolist(), system.structure.purview.tolist()
    starts = system.subsets.starts.tolist()
    mechanisms = [mechanism for mechanism, each in enumerate(phi[CONCEPT]) if each]
    mechanisms.sort(key=lambda each: (each.bit_count(), to_units(each)))
    concepts = []
    for mechanism in mechanisms:
        cause, effect = purviews[CAUSE][mechanism], purviews[EFFECT][mechanism]
        concepts.append(
            Concept(
                _named(mechanism, units),
                phi[CONCEPT][mechanism],
                phi[CAUSE][mechanism],
                phi[EFFECT][mechanism],
                _named(cause, units),
                _named(effect, units),
                system.repertoires.causes[mechanism, starts[cause] : starts[cause + 1]].copy(),
                _effect_repertoire(system.repertoires.effects[mechanism].tolist(), to_units(effect)),
            )
        )
    return tuple(concepts)


def _effect_repertoire(likely: list[float], purview: tuple[int, ...]) -> NDArray[np.float64]:
    """Return the product [2^k] over the purview's units of how likely each is on or off."""
    result = [1.0]  # NumPy would take several times as long for so few
    for unit in purview:
        on = likely[unit]
        result = [each * (1.0 - on) for each in result] + [each * on for each in result]
    return np.array(result)


@lru_cache(maxsize=1 << 12)
def _named(subset: int, units: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(units[unit] for unit in to_units(subset))


def _number_of(state: NDArray[np.int64]) -> int:
    return int(state @ (1 << np.arange(len(state))))


def _check_models(tpms: NDArray[np.float64], cms: NDArray[np.bool_], states: NDArray[np.int64]) -> None:
    n_units = tpms.shape[-1]
    if tpms.ndim != 3 or not 1 <= n_units <= MAX_UNITS or tpms.shape[1] != 1 << n_units:
        raise ModelError(f"tpms: [m, 2^n, n] with n from 1 to {MAX_UNITS} is needed, their shape is {list(tpms.shape)}")
    n_models = len(tpms)
    if cms.shape != (n_models, n_units, n_units) or states.shape != (n_models, n_units):
        raise ModelError(
            f"cms, states: {n_models} models of {n_units} units have [{n_models}, {n_units}, {n_units}] and "
            f"[{n_models}, {n_units}], the shapes are {list(cms.shape)} and {list(states.shape)}"
        )
    bad = np.argwhere(~((tpms >= 0) & (tpms <= 1)))
    if len(bad):
        model, row, unit = (int(at) for at in bad[0])
        raise ModelError(f"tpms: model {model}, row {row}, unit {unit} is {tpms[model, row, unit]}, not a probability")
    bad = np.argwhere((states != 0) & (states != 1))
    if len(bad):
        model, unit = (int(at) for at in bad[0])
        raise ModelError(f"states: model {model}, unit {unit} is {states[model, unit]}, neither 0 nor 1")
