"""How far φ must be moved between two cause-effect structures, by the distance of concepts' repertoires.

Concepts are points at the distance of their cause repertoires plus that of their effect repertoires, each over all
units; what one structure has less of goes to the null concept, which tells nothing. This transportation problem is
solved by shortest augmenting paths with prices. Distances of causes begin with those of marginals, which are never too
large, and only those that would carry something are made exact. The prices' value is a lower bound of the result at
any time.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.iit3.concepts import CAUSE, CONCEPT, EFFECT, Room, System
from swarmscope.analysis.intelligence.iit3.hypercube_distance import moved_probability

_EPSILON = 1e-12


class Side(NamedTuple):
    """The rows (what supplies) or the columns (what asks) of a transportation problem; up to 2^n."""

    numbers: NDArray[np.int64]
    """[2, 2^n]: mechanism (0 for the null concept), and from whom it was reached."""
    amounts: NDArray[np.float64]
    """[4, 2^n]: φ, what is left of it, price, and how far it is."""


_MECHANISM, _FROM = 0, 1
_PHI, _LEFT, _PRICE, _FAR = 0, 1, 2, 3


class Market(NamedTuple):
    """A transportation problem of concepts. Few arrays: each costs at every call."""

    rows: Side
    columns: Side
    cost: NDArray[np.float64]
    flow: NDArray[np.float64]
    is_exact: NDArray[np.bool_]
    is_done: NDArray[np.bool_]
    """[2^n] of columns."""


def make_market(n_units: int) -> Market:
    """Return room for one distance at a time."""
    count = 1 << n_units
    rows, columns = (Side(np.zeros((2, count), np.int64), np.zeros((4, count))) for _ in range(2))
    square = (count, count)
    return Market(
        rows, columns, np.zeros(square), np.zeros(square), np.zeros(square, np.bool_), np.zeros(count, np.bool_)
    )


@njit(nogil=True, cache=True)
def structure_distance(whole: System, cut: System, limit: float, room: Room, market: Market) -> float:
    """Return the distance of two structures of the same units; once it is over `limit`, no more than that.

    A `limit` of -1 is none, and has all costs made exact beforehand.
    """
    n_rows, n_columns = _fill_masses(whole, cut, market)
    if n_rows == 0 or n_columns == 0:
        return 0.0
    size = (n_rows, n_columns)
    for row in range(n_rows):
        for column in range(n_columns):
            _set_cost(row, column, whole, cut, market)
            if limit < 0.0:
                _make_exact((row, column), whole, cut, room, market)
    value = _begin(size, market)
    for row in range(n_rows):
        while market.rows.amounts[_LEFT, row] > _EPSILON:
            if 0.0 <= limit < value:
                return value
            column = _shortest_path(row, size, market)
            if column < 0:
                break
            if not _make_path_exact(column, row, (whole, cut, room), market):
                value += _raise_prices(column, size, market)
                _augment(column, row, market)
    return value


@njit(nogil=True, cache=True, inline="always")
def _fill_masses(whole: System, cut: System, market: Market) -> tuple[int, int]:
    """List concepts of both structures that are not the same, and the null concept where φ is missing."""
    n_rows, n_columns, missing = 0, 0, 0.0
    for mechanism in range(1, 1 << whole.subsets.n_units):
        supply = whole.structure.phi[CONCEPT, mechanism]
        demand = cut.structure.phi[CONCEPT, mechanism]
        missing += supply - demand
        if supply > 0.0 and demand > 0.0 and _is_same(mechanism, whole, cut):
            common = min(supply, demand)
            supply -= common
            demand -= common
        if supply > _EPSILON:
            market.rows.numbers[_MECHANISM, n_rows], market.rows.amounts[_PHI, n_rows] = mechanism, supply
            n_rows += 1
        if demand > _EPSILON:
            market.columns.numbers[_MECHANISM, n_columns], market.columns.amounts[_PHI, n_columns] = mechanism, demand
            n_columns += 1
    if missing > _EPSILON:
        market.columns.numbers[_MECHANISM, n_columns], market.columns.amounts[_PHI, n_columns] = 0, missing
        n_columns += 1
    elif missing < -_EPSILON:
        market.rows.numbers[_MECHANISM, n_rows], market.rows.amounts[_PHI, n_rows] = 0, -missing
        n_rows += 1
    return n_rows, n_columns


@njit(nogil=True, cache=True, inline="always")
def _is_same(mechanism: int, whole: System, cut: System) -> bool:
    """Whether a mechanism specifies the same in both."""
    purview = whole.structure.purview[CAUSE, mechanism]
    if purview != cut.structure.purview[CAUSE, mechanism]:
        return False
    starts = whole.subsets.starts
    for place in range(starts[purview], starts[purview + 1]):
        if abs(whole.repertoires.causes[mechanism, place] - cut.repertoires.causes[mechanism, place]) > _EPSILON:
            return False
    for unit in range(whole.subsets.n_units):
        if abs(_next_on(mechanism, unit, whole) - _next_on(mechanism, unit, cut)) > _EPSILON:
            return False
    return True


@njit(nogil=True, cache=True, inline="always")
def _next_on(mechanism: int, unit: int, system: System) -> float:
    """How likely a unit is on next as a concept has it; as without any constraint outside its purview."""
    is_inside = (system.structure.purview[EFFECT, mechanism] >> unit) & 1
    return float(system.repertoires.effects[mechanism if is_inside else 0, unit])


@njit(nogil=True, cache=True, inline="always")
def _set_cost(row: int, column: int, whole: System, cut: System, market: Market) -> None:
    """Set the distance of effects plus that of causes' marginals."""
    first, second = market.rows.numbers[_MECHANISM, row], market.columns.numbers[_MECHANISM, column]
    before, after = whole.structure.purview[CAUSE, first], cut.structure.purview[CAUSE, second]
    cost = 0.0
    for unit in range(whole.subsets.n_units):
        cost += abs(_next_on(first, unit, whole) - _next_on(second, unit, cut))
        cost += abs(whole.repertoires.marginals[first, before, unit] - cut.repertoires.marginals[second, after, unit])
    market.cost[row, column] = cost
    market.is_exact[row, column] = whole.subsets.sizes[before | after] <= 1
    market.flow[row, column] = 0.0


@njit(nogil=True, cache=True)
def _make_exact(place: tuple[int, int], whole: System, cut: System, room: Room, market: Market) -> bool:
    """Replace a cost by the distance; whether that is more."""
    row, column = place
    if market.is_exact[row, column]:
        return False
    market.is_exact[row, column] = True
    first, second = market.rows.numbers[_MECHANISM, row], market.columns.numbers[_MECHANISM, column]
    before, after = whole.structure.purview[CAUSE, first], cut.structure.purview[CAUSE, second]
    subsets = whole.subsets
    both = before | after
    size = subsets.sizes[both]
    inside, outside = subsets.within[both, before], subsets.within[both, after]
    delta = room.scratch[0]
    first_share = 1.0 / (1 << (size - subsets.sizes[before]))
    second_share = 1.0 / (1 << (size - subsets.sizes[after]))
    for state in range(1 << size):
        delta[state] = (
            whole.repertoires.causes[first, subsets.starts[before] + subsets.within[inside, state]] * first_share
            - cut.repertoires.causes[second, subsets.starts[after] + subsets.within[outside, state]] * second_share
        )
    cost = moved_probability(delta, size, np.inf, room.transport)
    for unit in range(subsets.n_units):
        cost += abs(_next_on(first, unit, whole) - _next_on(second, unit, cut))
    is_more = bool(cost > market.cost[row, column] + _EPSILON)
    if is_more:
        market.cost[row, column] = cost
    return is_more


@njit(nogil=True, cache=True, inline="always")
def _begin(size: tuple[int, int], market: Market) -> float:
    """Begin with nothing moved and the least prices that no cost undercuts; their value."""
    n_rows, n_columns = size
    value = 0.0
    for row in range(n_rows):
        market.rows.amounts[_LEFT, row] = market.rows.amounts[_PHI, row]
        least = np.inf
        for column in range(n_columns):
            least = min(least, market.cost[row, column])
        market.rows.amounts[_PRICE, row] = least
        value += least * market.rows.amounts[_PHI, row]
    for column in range(n_columns):
        market.columns.amounts[_LEFT, column] = market.columns.amounts[_PHI, column]
        least = np.inf
        for row in range(n_rows):
            least = min(least, market.cost[row, column] - market.rows.amounts[_PRICE, row])
        market.columns.amounts[_PRICE, column] = least
        value += least * market.columns.amounts[_PHI, column]
    return value


@njit(nogil=True, cache=True)
def _shortest_path(origin: int, size: tuple[int, int], market: Market) -> int:
    """Return the nearest column that still wants something, -1 if none can be reached; the way is left in `market`."""
    n_rows, n_columns = size
    for row in range(n_rows):
        market.rows.amounts[_FAR, row] = np.inf
    for column in range(n_columns):
        market.columns.amounts[_FAR, column] = np.inf
        market.is_done[column] = False
    market.rows.amounts[_FAR, origin] = 0.0
    _reach_from(origin, n_columns, market)
    while True:
        nearest, far = -1, np.inf
        for column in range(n_columns):
            if not market.is_done[column] and market.columns.amounts[_FAR, column] < far:
                nearest, far = column, market.columns.amounts[_FAR, column]
        if nearest < 0 or market.columns.amounts[_LEFT, nearest] > _EPSILON:
            return nearest
        market.is_done[nearest] = True
        for row in range(n_rows):
            if market.flow[row, nearest] > _EPSILON and market.rows.amounts[_FAR, row] == np.inf:
                market.rows.amounts[_FAR, row], market.rows.numbers[_FROM, row] = far, nearest
                _reach_from(row, n_columns, market)


@njit(nogil=True, cache=True)
def _reach_from(row: int, n_columns: int, market: Market) -> None:
    base = market.rows.amounts[_FAR, row] - market.rows.amounts[_PRICE, row]
    for column in range(n_columns):
        if not market.is_done[column]:
            far = base + market.cost[row, column] - market.columns.amounts[_PRICE, column]
            if far < market.columns.amounts[_FAR, column]:
                market.columns.amounts[_FAR, column], market.columns.numbers[_FROM, column] = far, row


@njit(nogil=True, cache=True, inline="always")
def _make_path_exact(column: int, origin: int, systems: tuple[System, System, Room], market: Market) -> bool:
    """Make all costs on the way to a column exact; whether any rose, so that the way may not be the shortest."""
    whole, cut, room = systems
    has_risen = False
    while True:
        row = market.columns.numbers[_FROM, column]
        if _make_exact((row, column), whole, cut, room, market):
            has_risen = True
        if row == origin:
            return has_risen
        column = market.rows.numbers[_FROM, row]


@njit(nogil=True, cache=True, inline="always")
def _raise_prices(target: int, size: tuple[int, int], market: Market) -> float:
    """Take the way to `target` into the prices; by how much their value grows."""
    n_rows, n_columns = size
    far = market.columns.amounts[_FAR, target]
    growth = 0.0
    for row in range(n_rows):
        if market.rows.amounts[_FAR, row] < far:
            market.rows.amounts[_PRICE, row] += far - market.rows.amounts[_FAR, row]
            growth += (far - market.rows.amounts[_FAR, row]) * market.rows.amounts[_PHI, row]
    for column in range(n_columns):
        if market.is_done[column] and market.columns.amounts[_FAR, column] < far:
            market.columns.amounts[_PRICE, column] -= far - market.columns.amounts[_FAR, column]
            growth -= (far - market.columns.amounts[_FAR, column]) * market.columns.amounts[_PHI, column]
    return growth


@njit(nogil=True, cache=True, inline="always")
def _augment(target: int, origin: int, market: Market) -> None:
    """Move as much as the way to `target` lets through."""
    amount, column = min(market.columns.amounts[_LEFT, target], market.rows.amounts[_LEFT, origin]), target
    while market.columns.numbers[_FROM, column] != origin:
        row = market.columns.numbers[_FROM, column]
        column = market.rows.numbers[_FROM, row]
        amount = min(amount, market.flow[row, column])
    market.columns.amounts[_LEFT, target] -= amount
    market.rows.amounts[_LEFT, origin] -= amount
    column = target
    while True:
        row = market.columns.numbers[_FROM, column]
        market.flow[row, column] += amount
        if row == origin:
            return
        column = market.rows.numbers[_FROM, row]
        market.flow[row, column] -= amount
