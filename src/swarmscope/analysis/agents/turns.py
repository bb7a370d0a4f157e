"""Turns of different agents in one conversation, one directly after the other, that nothing else joins.

Which turn comes after which is known only when all that began before have arrived, so turns wait for a while.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.agents.forest_answers import TURN
from swarmscope.analysis.agents.forest_tables import Records
from swarmscope.model.byte_hash import mix

_MAX_LASTS = 100_000  # conversations of which the last turn is remembered
_MAX_WAITING = 500_000
_MEMORY_NS = 3600 * 10**9  # for how long
_SKEW_NS = 50_000_000  # by which clocks of two machines may differ, so that one turn seems to begin within the last


class Turns:
    """The turns of one tenant that may still be followed by others. Not thread-safe."""

    def __init__(self, wait_ns: int) -> None:
        self._wait_ns = wait_ns
        self._waiting: list[tuple[int, Records]] = []  # when they came
        self._lasts = np.zeros(0, TURN)
        self._joins: list[tuple[int, NDArray[np.uint64]]] = []

    def add(self, turns: Records, now_ns: int) -> None:
        """Turns [n] (TURN) that were settled."""
        if len(turns):
            self._waiting.append((now_ns, turns.copy()))

    def add_joins(self, conversation: NDArray[np.uint64], source: Records, target: Records, now_ns: int) -> None:
        """Interactions [n] that were found within conversations."""
        told = np.flatnonzero(conversation)
        if len(told):
            joins = _join_keys(conversation[told], source[told], target[told])
            self._joins.append((now_ns, np.unique(joins)))

    def due(self, now_ns: int) -> tuple[Records, Records]:
        """Turns [n] that others directly followed, and those others [n]; each is told once."""
        ready = [turns for at, turns in self._waiting if at <= now_ns - self._wait_ns]
        too_many = sum(len(turns) for _, turns in self._waiting) > _MAX_WAITING
        if too_many:
            ready = [turns for _, turns in self._waiting]
        if not ready:
            return self._lasts[:0], self._lasts[:0]
        self._waiting = [] if too_many else self._waiting[len(ready) :]
        turns = np.concatenate([self._lasts, *ready])
        turns = turns[np.lexsort((turns["agent"], turns["end_ns"], turns["start_ns"], turns["conversation"]))]
        before, last = _followed(turns)
        after = np.flatnonzero(before >= 0)
        before = before[after]
        if len(after):
            found, there = turns[before], turns[after]
            joins = [keys for _, keys in self._joins]
            keys = _join_keys(there["conversation"], found["agent"], there["agent"])
            new = ~np.isin(keys, np.concatenate(joins)) if joins else np.ones(len(keys), np.bool_)
            before, after = before[new], after[new]
        self._remember(turns[last], now_ns)
        return turns[before], turns[after]

    def _remember(self, lasts: Records, now_ns: int) -> None:
        lasts = lasts[lasts["end_ns"] > now_ns - _MEMORY_NS]
        if len(lasts) > _MAX_LASTS:
            lasts = lasts[np.argsort(lasts["end_ns"])[-_MAX_LASTS:]]
        lasts["is_old"] = 1
        self._lasts = lasts
        self._joins = [(at, keys) for at, keys in self._joins if at > now_ns - self._wait_ns - _MEMORY_NS]
        if len(self._joins) > 64:
            self._joins = [(self._joins[-1][0], np.unique(np.concatenate([keys for _, keys in self._joins])))]


@njit(nogil=True, cache=True)
def _followed(turns: Records) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """For each turn [n] the one of another agent that it directly follows, -1 for none; and the last of each run."""
    before = np.full(len(turns), -1, np.int64)
    lasts = np.empty(len(turns), np.int64)
    n, last = 0, -1
    for at in range(len(turns)):
        if last < 0 or turns[last].conversation != turns[at].conversation:
            if last >= 0:
                lasts[n] = last
                n += 1
            last = at
            continue
        is_after = turns[at].start_ns >= turns[last].end_ns - _SKEW_NS
        if is_after and turns[at].agent != turns[last].agent and not turns[at].is_old:
            before[at] = last
        if turns[at].end_ns >= turns[last].end_ns:
            last = at
    if last >= 0:
        lasts[n] = last
        n += 1
    return before, lasts[:n].copy()


@njit(nogil=True, cache=True)
def _join_keys(
    conversation: NDArray[np.uint64], source: NDArray[np.uint32], target: NDArray[np.uint32]
) -> NDArray[np.uint64]:
    keys = np.empty(len(conversation), np.uint64)
    for at in range(len(conversation)):
        keys[at] = mix(mix(np.uint64(source[at]), np.uint64(target[at])), np.uint64(conversation[at]))
    return keys
