"""The distance of structures, with costs made exact as needed and all at once, and by a linear program."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linprog
from tests.analysis.intelligence.iit3.networks import elementary_rule, logistic_network

from swarmscope.analysis.intelligence.iit3.concepts import CAUSE, CONCEPT, EFFECT, System, fill_structure
from swarmscope.analysis.intelligence.iit3.cuts import Workplace, begin, make_workplace, targets_of
from swarmscope.analysis.intelligence.iit3.hypercube_distance import moved_probability
from swarmscope.analysis.intelligence.iit3.network import Network
from swarmscope.analysis.intelligence.iit3.repertoires import fill_repertoires
from swarmscope.analysis.intelligence.iit3.structure_distance import structure_distance


def prepare(network: Network, now: int) -> Workplace:
    place = make_workplace(network.n_units)
    begin(network.tpm, now, place)
    fill_structure(place.mechanisms, 0, place.whole, place.whole, place.room)
    return place


def cut(place: Workplace, target: int) -> None:
    fill_repertoires(place.factors, target, place.whole.subsets, place.cut.repertoires)
    fill_structure(place.mechanisms, target, place.whole, place.cut, place.room)


def distance(place: Workplace, limit: float) -> float:
    return structure_distance(place.whole, place.cut, limit, place.room, place.market)


@pytest.mark.parametrize(("network", "now"), [(logistic_network(5, 3), 9), (elementary_rule(152, 5), 0)])
def test_costs_as_needed_and_all_at_once(network: Network, now: int) -> None:
    place = prepare(network, now)
    for target in targets_of(5)[::3]:
        cut(place, int(target))
        assert distance(place, np.inf) == pytest.approx(distance(place, -1.0), abs=1e-12)


def test_beyond_a_limit_it_is_a_lower_bound() -> None:
    place = prepare(logistic_network(4, 3), 5)
    for target in targets_of(4):
        cut(place, int(target))
        exact = distance(place, np.inf)
        assert 0.5 * exact < distance(place, 0.5 * exact) <= exact + 1e-12
        assert distance(place, exact + 1e-9) == pytest.approx(exact, abs=1e-12)


def repertoires(system: System, mechanism: int) -> tuple[np.ndarray, np.ndarray]:
    """Of the cause over all states, and how likely each unit is on next."""
    subsets, purviews = system.subsets, system.structure.purview[:, mechanism]
    purview = int(purviews[CAUSE])
    inside = system.repertoires.causes[mechanism, subsets.starts[purview] :][subsets.within[purview]]
    effects = [
        system.repertoires.effects[mechanism if purviews[EFFECT] >> unit & 1 else 0, unit]
        for unit in range(subsets.n_units)
    ]
    return inside / inside.sum(), np.array(effects)


def by_program(place: Workplace) -> float:
    """All concepts of both, none left out, and the null concept on either side."""
    n_units = place.whole.subsets.n_units
    sides = [[0, *np.flatnonzero(system.structure.phi[CONCEPT])] for system in (place.whole, place.cut)]
    costs = np.zeros((len(sides[0]), len(sides[1])))
    for row, first in enumerate(sides[0]):
        for column, second in enumerate(sides[1]):
            before, after = repertoires(place.whole, int(first)), repertoires(place.cut, int(second))
            costs[row, column] = moved_probability(before[0] - after[0], n_units, np.inf, place.room.transport)
            costs[row, column] += np.abs(before[1] - after[1]).sum()
    supply, demand = place.whole.structure.phi[CONCEPT][sides[0]], place.cut.structure.phi[CONCEPT][sides[1]]
    missing = supply.sum() - demand.sum()
    supply[0], demand[0] = max(-missing, 0.0), max(missing, 0.0)
    rows, columns = np.eye(len(supply)), np.eye(len(demand))
    constraints = np.vstack([np.kron(rows, np.ones(len(demand))), np.kron(np.ones(len(supply)), columns)])
    return linprog(costs.reshape(-1), A_eq=constraints[1:], b_eq=np.concatenate([supply, demand])[1:]).fun


@pytest.mark.parametrize(("network", "now"), [(logistic_network(4, 7), 6), (elementary_rule(110, 4), 6)])
def test_a_linear_program_agrees(network: Network, now: int) -> None:
    place = prepare(network, now)
    for target in targets_of(4)[::2]:
        cut(place, int(target))
        assert distance(place, np.inf) == pytest.approx(by_program(place), abs=1e-7)
