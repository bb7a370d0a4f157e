"""How far probability must be moved between two distributions over states, by Hamming distance (earth mover's, W1).

By duality it is the greatest Σ f(x) δ(x) over functions f that differ by at most 1 between neighbouring states. The
extreme ones differ by exactly 1. To 4 units they are few and all are tried; beyond that a flow is found with them as
its prices.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

# There are 2, 6, 38 and 990 functions on 1 to 4 units with f(0) = 0, half of them but for the sign; on 5 far too many.
MAX_VERTEX_UNITS = 4
_COUNTS = (0, 1, 3, 19, 495)
_STARTS = (0, 0, 2, 14, 166)  # sums of 2^k · count
# Below what a probability's rounding leaves over; what is not moved changes a distance by a few of these.
_EPSILON = 1e-13


class Transport(NamedTuple):
    """Room for one computation at a time over up to n units. Few arrays: each costs at every call."""

    vertices: NDArray[np.float64]
    """The extreme functions on 1 to 4 units one after the other, [2^k, count] each."""
    sums: NDArray[np.float64]
    flow: NDArray[np.float64]
    """[2^n, n + 1]: what goes from a state to its neighbour along each unit, and last what is still to go from it."""
    states: NDArray[np.int64]
    """[3, 2^n]: the price of each state; the unit by which it was reached, n for a beginning, -1 for none; a queue."""


_PRICE, _PARENT, _QUEUE = 0, 1, 2


@lru_cache(maxsize=1)
def vertices() -> NDArray[np.float64]:
    """Return all extreme functions, flat; made once."""
    tables = [np.array(_functions(n_units), np.float64).T for n_units in range(1, MAX_VERTEX_UNITS + 1)]
    return np.concatenate([np.ascontiguousarray(table).reshape(-1) for table in tables])


def make_transport(n_units: int) -> Transport:
    """Return room for distances over up to `n_units` units."""
    n_states = 1 << n_units
    return Transport(
        vertices(), np.zeros(max(_COUNTS)), np.zeros((n_states, n_units + 1)), np.zeros((3, n_states), np.int64)
    )


def _functions(n_units: int) -> list[list[int]]:
    """Every f with f(0) = 0, f(1) = 1 and steps of exactly 1 between neighbours."""
    found = [[0, 1]]
    for state in range(2, 1 << n_units):
        below = [state ^ (1 << unit) for unit in range(n_units) if state >> unit & 1]
        found = [
            [*known, value]
            for known in found
            for value in (known[below[0]] - 1, known[below[0]] + 1)
            if all(abs(value - known[neighbour]) == 1 for neighbour in below)
        ]
    return found


@njit(nogil=True, cache=True)
def moved_probability(delta: NDArray[np.float64], n_units: int, limit: float, room: Transport) -> float:
    """The distance of two distributions with difference `delta` [2^n_units].

    What is returned may be less than the distance once it is `limit` or more.
    """
    if n_units <= MAX_VERTEX_UNITS:
        return vertex_distance(delta, n_units, room)
    return flow_distance(delta, n_units, limit, room)


@njit(nogil=True, cache=True)
def vertex_distance(delta: NDArray[np.float64], n_units: int, room: Transport) -> float:
    """The distance as the greatest of all extreme functions, for up to 4 units."""
    if n_units <= 1:
        return abs(float(delta[n_units]))
    count, start = _COUNTS[n_units], _STARTS[n_units]
    sums = room.sums[:count]
    for number in range(count):
        sums[number] = 0.0
    for state in range(0, 1 << n_units, 4):
        # Four rows at a time, each a view of its own: what the compiler needs to keep the processor's vectors full.
        at = start + state * count
        first, second = room.vertices[at : at + count], room.vertices[at + count : at + 2 * count]
        third, fourth = room.vertices[at + 2 * count : at + 3 * count], room.vertices[at + 3 * count : at + 4 * count]
        weights = (delta[state], delta[state + 1], delta[state + 2], delta[state + 3])
        for number in range(count):
            sums[number] += (
                weights[0] * first[number]
                + weights[1] * second[number]
                + weights[2] * third[number]
                + weights[3] * fourth[number]
            )
    greatest = 0.0
    for number in range(count):
        greatest = max(greatest, abs(sums[number]))
    return greatest


@njit(nogil=True, cache=True)
def flow_distance(delta: NDArray[np.float64], n_units: int, limit: float, room: Transport) -> float:
    """The distance by primal-dual flow along the edges of the hypercube, each of cost 1.

    Prices begin with the function that sums units by the sign of their marginals' difference, which often is the best
    one already. Those that move it on keep all steps odd, so that raising what was reached by 2 is the next price.
    """
    n_states = 1 << n_units
    price, flow = room.states[_PRICE], room.flow
    price[0] = 0
    for unit in range(n_units):
        half = 1 << unit
        marginal = 0.0
        for state in range(n_states):
            if state & half:
                marginal += delta[state]
        for state in range(half):
            price[state + half] = price[state] + (1 if marginal > 0 else -1)
    moved = 0.0
    for state in range(n_states):
        moved += price[state] * delta[state]
        for unit in range(n_units):
            flow[state, unit] = 0.0
        flow[state, -1] = delta[state]
    while moved < limit:
        n_reached, is_moved = _push(n_units, room)
        if is_moved:
            continue
        if n_reached == 0 or n_reached == n_states:
            break
        for place in range(n_reached):
            state = room.states[_QUEUE, place]
            price[state] += 2
            moved += 2.0 * delta[state]
    return moved


@njit(nogil=True, cache=True, inline="always")
def _push(n_units: int, room: Transport) -> tuple[int, bool]:
    """Move what can be moved at these prices by one search: (number of states reached, whether anything moved)."""
    price, parent, queue, flow = room.states[_PRICE], room.states[_PARENT], room.states[_QUEUE], room.flow
    end = 0
    for state in range(1 << n_units):
        parent[state] = -1
        if flow[state, -1] > _EPSILON:
            parent[state] = n_units
            queue[end] = state
            end += 1
    begin, is_moved = 0, False
    while begin < end:
        state = queue[begin]
        begin += 1
        for unit in range(n_units):
            other = state ^ (1 << unit)
            if parent[other] < 0 and (price[state] - price[other] == 1 or flow[other, unit] > 0.0):
                parent[other] = unit
                queue[end] = other
                end += 1
                if flow[other, -1] < 0.0 and _push_to(other, n_units, room):
                    is_moved = True
    return end, is_moved


@njit(nogil=True, cache=True, inline="always")
def _push_to(target: int, n_units: int, room: Transport) -> bool:
    """Move as much as the way to `target` lets through; whether that is anything."""
    price, parent, flow = room.states[_PRICE], room.states[_PARENT], room.flow
    amount, state = -flow[target, -1], target
    while parent[state] != n_units:
        unit = parent[state]
        origin = state ^ (1 << unit)
        if price[origin] - price[state] != 1:
            amount = min(amount, flow[state, unit])
        state = origin
    amount = min(amount, flow[state, -1])
    if amount <= 0.0:
        return False
    flow[state, -1] -= amount
    flow[target, -1] += amount
    state = target
    while parent[state] != n_units:
        unit = parent[state]
        origin = state ^ (1 << unit)
        if price[origin] - price[state] == 1:
            flow[origin, unit] += amount
        else:
            flow[state, unit] -= amount
        state = origin
    return True
