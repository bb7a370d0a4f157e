"""Sides of requests that wait for their other side: a bounded hash table in the order of arrival."""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

NO_SERVICE = -1
NO_DURATION = -1

# Records in NumPy's terms; Numba knows their fields.
Edges: TypeAlias = Any

EDGE = np.dtype(
    [
        ("key", np.uint64),  # of trace id and the caller's span id
        ("client", np.int64),  # number of a service's name, NO_SERVICE while unknown
        ("server", np.int64),
        ("peer", np.int64),  # what an attribute says of the other side
        ("client_ns", np.int64),
        ("server_ns", np.int64),
        ("kind", np.int64),  # a connection type
        ("failed", np.int64),
        ("end_ms", np.int64),
        ("trace0", np.uint64),
        ("trace1", np.uint64),
        ("client_span", np.uint64),
        ("server_span", np.uint64),
        ("expires_ms", np.int64),
    ]
)
_END = -1
_FREE, _OLDEST, _NEWEST, _WAITING = 0, 1, 2, 3


class _Table(NamedTuple):
    """Chained hashing over a pool of rows."""

    pool: Edges  # [max_waiting]
    chains: NDArray[np.int64]  # [power of two] first row of each chain
    links: NDArray[np.int64]  # [max_waiting, 3] next in chain (or free), older, newer
    state: NDArray[np.int64]  # [4] at _FREE, _OLDEST, _NEWEST, _WAITING


class WaitingSides:
    """Not thread-safe. All sides wait equally long, so the oldest one is the first to go."""

    def __init__(self, max_waiting: int) -> None:
        links = np.full((max_waiting, 3), _END, np.int64)
        links[:-1, 0] = np.arange(1, max_waiting)
        chains = np.full(1 << max(4, max_waiting.bit_length()), _END, np.int64)
        self._table = _Table(np.zeros(max_waiting, EDGE), chains, links, np.array([0, _END, _END, 0], np.int64))

    def __len__(self) -> int:
        return int(self._table.state[_WAITING])

    def match(self, sides: Edges) -> tuple[Edges, Edges]:
        """Take sides in order: the edges that became whole, and the sides that found no room."""
        whole, refused = np.zeros(len(sides), EDGE), np.zeros(len(sides), EDGE)
        n_whole, n_refused = _match(self._table, sides, whole, refused)
        return whole[:n_whole], refused[:n_refused]

    def expire(self, now_ms: int) -> Edges:
        """Sides whose time has come; they wait no longer."""
        gone = np.zeros(len(self), EDGE)
        return gone[: _expire(self._table, now_ms, gone)]

    def services(self) -> NDArray[np.int64]:
        """Numbers of names that waiting sides have."""
        used = self._table.pool[self._table.pool["expires_ms"] > 0]
        return np.unique(np.concatenate([used["client"], used["server"], used["peer"]]))


@njit(nogil=True, cache=True)
def _remove(table: _Table, at: int) -> None:
    pool, chains, links, state = table
    chain = np.int64(pool[at].key & np.uint64(len(chains) - 1))
    if chains[chain] == at:
        chains[chain] = links[at, 0]
    else:
        before = chains[chain]
        while links[before, 0] != at:
            before = links[before, 0]
        links[before, 0] = links[at, 0]
    older, newer = links[at, 1], links[at, 2]
    if older == _END:
        state[_OLDEST] = newer
    else:
        links[older, 2] = newer
    if newer == _END:
        state[_NEWEST] = older
    else:
        links[newer, 1] = older
    links[at, 0] = state[_FREE]
    state[_FREE] = at
    state[_WAITING] -= 1
    pool[at].expires_ms = 0


@njit(nogil=True, cache=True)
def _join(edge: Edges, side: Edges) -> None:
    """Add to a waiting side what the new one knows."""
    if side.client != NO_SERVICE:
        edge.client, edge.client_ns, edge.client_span = side.client, side.client_ns, side.client_span
    if side.server != NO_SERVICE:
        edge.server, edge.server_ns, edge.server_span = side.server, side.server_ns, side.server_span
    edge.failed = max(edge.failed, side.failed)
    edge.end_ms = max(edge.end_ms, side.end_ms)


@njit(nogil=True, cache=True)
def _match(table: _Table, sides: Edges, whole: Edges, refused: Edges) -> tuple[int, int]:
    pool, chains, links, state = table
    n_whole, n_refused = 0, 0
    for i in range(len(sides)):
        side = sides[i]
        chain = np.int64(side.key & np.uint64(len(chains) - 1))
        at = chains[chain]
        while at != _END and pool[at].key != side.key:
            at = links[at, 0]
        if at != _END:
            _join(pool[at], side)
            if pool[at].client != NO_SERVICE and pool[at].server != NO_SERVICE:
                whole[n_whole] = pool[at]
                n_whole += 1
                _remove(table, at)
            continue
        at = state[_FREE]
        if at == _END:
            refused[n_refused] = side
            n_refused += 1
            continue
        state[_FREE] = links[at, 0]
        pool[at] = side
        links[at, 0], links[at, 1], links[at, 2] = chains[chain], state[_NEWEST], _END
        chains[chain] = at
        if state[_NEWEST] == _END:
            state[_OLDEST] = at
        else:
            links[state[_NEWEST], 2] = at
        state[_NEWEST] = at
        state[_WAITING] += 1
    return n_whole, n_refused


@njit(nogil=True, cache=True)
def _expire(table: _Table, now_ms: int, gone: Edges) -> int:
    pool, state = table.pool, table.state
    n = 0
    while state[_OLDEST] != _END and pool[state[_OLDEST]].expires_ms <= now_ms:
        at = state[_OLDEST]
        gone[n] = pool[at]
        n += 1
        _remove(table, at)
    return n
