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
# Below what a probability's rounding leaves over; what is not moved changes a distance by a few of these.
_EPSILON = 1e-13


class Vertices(NamedTuple):
    """The extreme functions on 0 to 4 units, one of each pair that differs by sign."""

    values: NDArray[np.float64]
    """Flat; of k units [2^k, counts[k]] from starts[k]."""
    starts: NDArray[np.int64]
    counts: NDArray[np.int64]


class Transport(NamedTuple):
    """Room for one computation at a time over up to n units."""

    excess: NDArray[np.float64]
    price: NDArray[np.int64]
    flow: NDArray[np.float64]
    """[2^n, n]: what goes from a state to its neighbour along each unit."""
    parent: NDArray[np.int64]
    """The unit by which a state was reached, n for a beginning, -1 for none."""
    queue: NDArray[np.int64]
    sums: NDArray[np.float64]


@lru_cache(maxsize=1)
def vertices() -> Vertices:
    """Return all extreme functions; made once."""
    tables = [np.zeros((1, 0))]
    tables += [np.array(_functions(n_units), np.float64).T for n_units in range(1, MAX_VERTEX_UNITS + 1)]
    sizes = [table.size for table in tables]
    return Vertices(
        np.concatenate([np.ascontiguousarray(table).reshape(-1) for table in tables]),
        np.cumsum([0, *sizes[:-1]]).astype(np.int64),
        np.array([table.shape[1] for table in tables], np.int64),
    )


def make_transport(n_units: int) -> Transport:
    """Return room for distances over up to `n_units` units."""
    n_states = 1 << n_units
    n_sums = int(vertices().counts.max())
    return Transport(
        np.zeros(n_states), np.zeros(n_states, np.int64), np.zeros((n_states, n_units)), np.zeros(n_states, np.int64),
        np.zeros(n_states, np.int64), np.zeros(n_sums),
    )  # fmt: skip


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
def moved_probability(delta, n_units, limit, vertex, room):  # type: ignore[no-untyped-def]
    """The distance of two distributions with difference `delta` [2^n_units].

    What is returned may be less than the distance once it is `limit` or more.
    """
    if n_units <= MAX_VERTEX_UNITS:
        return vertex_distance(delta, n_units, vertex, room)
    return flow_distance(delta, n_units, limit, room)


@njit(nogil=True, cache=True)
def vertex_distance(delta, n_units, vertex, room):  # type: ignore[no-untyped-def]
    """The distance as the greatest of all extreme functions, for up to 4 units."""
    count = vertex.counts[n_units]
    sums = room.sums
    start = vertex.starts[n_units]
    sums[:count] = 0.0
    for state in range(1, 1 << n_units):  # f is 0 at state 0
        weight = delta[state]
        if weight != 0.0:
            at = start + state * count
            for number in range(count):
                sums[number] += weight * vertex.values[at + number]
    greatest = 0.0
    for number in range(count):
        greatest = max(greatest, abs(sums[number]))
    return greatest


@njit(nogil=True, cache=True)
def flow_distance(delta, n_units, limit, room):  # type: ignore[no-untyped-def]
    """The distance by primal-dual flow along the edges of the hypercube, each of cost 1.

    Prices begin with the function that sums units by the sign of their marginals' difference, which often is the best
    one already. Those that move it on keep all steps odd, so that raising what was reached by 2 is the next price.
    """
    n_states = 1 << n_units
    price, excess = room.price, room.excess
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
        excess[state] = delta[state]
        room.flow[state, :n_units] = 0.0
    while moved < limit:
        n_reached, is_moved = _push(n_units, room)
        if is_moved:
            continue
        if n_reached == 0 or n_reached == n_states:
            break
        for place in range(n_reached):
            state = room.queue[place]
            price[state] += 2
            moved += 2.0 * delta[state]
    return moved


@njit(nogil=True, cache=True)
def _push(n_units, room):  # type: ignore[no-untyped-def]
    """Move what can be moved at these prices by one search: (number of states reached, whether anything moved)."""
    parent, queue, excess, flow, price = room.parent, room.queue, room.excess, room.flow, room.price
    end = 0
    for state in range(1 << n_units):
        parent[state] = -1
        if excess[state] > _EPSILON:
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
                if excess[other] < 0.0 and _push_to(other, n_units, room):
                    is_moved = True
    return end, is_moved


@njit(nogil=True, cache=True)
def _push_to(target, n_units, room):  # type: ignore[no-untyped-def]
    """Move as much as the way to `target` lets through; whether that is anything."""
    parent, excess, flow, price = room.parent, room.excess, room.flow, room.price
    amount, state = -excess[target], target
    while parent[state] != n_units:
        unit = parent[state]
        origin = state ^ (1 << unit)
        if price[origin] - price[state] != 1:
            amount = min(amount, flow[state, unit])
        state = origin
    amount = min(amount, excess[state])
    if amount <= 0.0:
        return False
    excess[state] -= amount
    excess[target] += amount
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
