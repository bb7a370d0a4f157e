"""What is known of each trace while it is decided about: why to keep it, the share of its like, and the decision.

A bounded table in two halves: when the young one is full the old one is forgotten, and the young one is the old one
from then on. A trace that is touched moves to the young half, so what is forgotten is what was silent for longest.
"""

from __future__ import annotations

import secrets
import threading
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_hash import hash_bytes, mix
from swarmscope.model.logs import TRACE_ID_BYTES
from swarmscope.model.raw_memory import Int, address_of

_UNDECIDED = np.float32(-1)
# The same in every process: a trace that is sent again after a restart gets the same answer.
_UNIFORM_SEED = np.uint64(0x5CA9E5A3D1B54A33)
_TWO_TO_64 = 2.0**64


class _Half(NamedTuple):
    """Open addressing; a free slot has the key 0."""

    keys: NDArray[np.uint64]  # [power of two]
    reasons: NDArray[np.uint8]
    share: NDArray[np.float32]
    weight: NDArray[np.float32]
    n_used: NDArray[np.int64]  # [1]


def _half(size: int) -> _Half:
    return _Half(
        np.zeros(size, np.uint64),
        np.zeros(size, np.uint8),
        np.ones(size, np.float32),
        np.full(size, _UNDECIDED, np.float32),
        np.zeros(1, np.int64),
    )


class TraceLedger:
    """Traces by tenant and id. Thread-safe."""

    def __init__(self, max_traces: int) -> None:
        """Remembers the last `max_traces` / 2 traces at the least and `max_traces` at the most."""
        self._capacity = max(1, max_traces // 2)
        self._size = 1 << (2 * self._capacity).bit_length()
        self._young, self._old = _half(self._size), _half(self._size)
        self._seed = np.uint64(secrets.randbits(64))
        self._lock = threading.Lock()

    @property
    def n_traces(self) -> int:
        """How many traces are remembered; those that moved count twice until the old half goes."""
        return int(self._young.n_used[0] + self._old.n_used[0])

    def keys(self, tenant: str, trace_id: NDArray[np.uint8]) -> NDArray[np.uint64]:
        """The key [n] of each trace id [n, TRACE_ID_BYTES]."""
        owner = np.frombuffer(tenant.encode(), np.uint8)
        return _keys(np.ascontiguousarray(trace_id), owner, self._seed)

    def observe(self, keys: NDArray[np.uint64], reasons: NDArray[np.uint8], arrivals: Arrivals) -> NDArray[np.float32]:
        """Note spans in the order of their arrival; the share [n] of each one's trace.

        A trace's share is set by its first span: `arrivals.share` once its service has more than
        `arrivals.threshold` new traces a second, else 1.
        """
        shares = np.empty(len(keys), np.float32)
        with self._lock:
            for begin in range(0, len(keys), self._capacity):
                part = slice(begin, begin + self._capacity)
                self._make_room(len(keys[part]))
                _observe(self._young, self._old, keys[part], reasons[part], arrivals.of(part), shares[part])
        return shares

    def weigh(
        self, keys: NDArray[np.uint64], trace_id: NDArray[np.uint8], reasons: NDArray[np.uint8],
        share: NDArray[np.float32],
    ) -> NDArray[np.float32]:  # fmt: skip
        """The weight [n] of each span: decided now where the trace was not decided before."""
        uniform = _uniform(np.ascontiguousarray(trace_id))
        weights = np.empty(len(keys), np.float32)
        with self._lock:
            for begin in range(0, len(keys), self._capacity):
                part = slice(begin, begin + self._capacity)
                self._make_room(len(keys[part]))
                _gather(self._young, self._old, keys[part], reasons[part], share[part])
                _decide(self._young, self._old, keys[part], uniform[part], weights[part])
        return weights

    def _make_room(self, n: int) -> None:
        if int(self._young.n_used[0]) + n > self._capacity:
            self._young, self._old = _half(self._size), self._young


class Arrivals(NamedTuple):
    """How fast traces of each service arrive; `counts` is changed."""

    service: NDArray[np.int64]  # [n] row of `rates`, by span
    rates: NDArray[np.float64]  # [n_services, 2] new traces in this second and in the one before
    elapsed: float  # of this second, 0 … 1
    threshold: float
    share: float

    def of(self, part: slice) -> Arrivals:
        """Those of some spans."""
        return self._replace(service=self.service[part])


@njit(nogil=True, cache=True)
def _keys(ids: NDArray[np.uint8], owner: NDArray[np.uint8], seed: Int) -> NDArray[np.uint64]:
    state = hash_bytes(address_of(owner), len(owner), seed)
    keys = np.empty(len(ids), np.uint64)
    for row in range(len(ids)):
        key = mix(state, hash_bytes(address_of(ids) + row * TRACE_ID_BYTES, TRACE_ID_BYTES, seed))
        keys[row] = key if key != 0 else np.uint64(1)
    return keys


@njit(nogil=True, cache=True)
def _uniform(ids: NDArray[np.uint8]) -> NDArray[np.float64]:
    """A number in [0, 1) for each id, which is the id's own."""
    uniform = np.empty(len(ids), np.float64)
    for row in range(len(ids)):
        word = mix(_UNIFORM_SEED, hash_bytes(address_of(ids) + row * TRACE_ID_BYTES, TRACE_ID_BYTES, _UNIFORM_SEED))
        uniform[row] = np.float64(word >> np.uint64(11)) * (2048.0 / _TWO_TO_64)
    return uniform


@njit(nogil=True, cache=True)
def _slot(half: _Half, key: Int) -> int:
    """Where the key is, or ~slot where it belongs."""
    mask = np.uint64(len(half.keys) - 1)
    slot = np.int64(np.uint64(key) & mask)
    while half.keys[slot] != 0:
        if half.keys[slot] == key:
            return int(slot)
        slot = np.int64(np.uint64(slot + 1) & mask)
    return int(~slot)


@njit(nogil=True, cache=True)
def _touch(young: _Half, old: _Half, key: Int) -> tuple[int, bool]:
    """The trace's slot in the young half, and whether it is new to both."""
    slot = _slot(young, key)
    if slot >= 0:
        return slot, False
    slot = ~slot
    young.keys[slot] = key
    young.n_used[0] += 1
    before = _slot(old, key)
    if before < 0:
        young.reasons[slot], young.share[slot], young.weight[slot] = 0, 1.0, _UNDECIDED
        return slot, True
    young.reasons[slot], young.share[slot] = old.reasons[before], old.share[before]
    young.weight[slot] = old.weight[before]
    return slot, False


@njit(nogil=True, cache=True)
def _observe(
    young: _Half,
    old: _Half,
    keys: NDArray[np.uint64],
    reasons: NDArray[np.uint8],
    arrivals: Arrivals,
    shares: NDArray[np.float32],
) -> None:
    rates = arrivals.rates
    for row in range(len(keys)):
        slot, is_new = _touch(young, old, keys[row])
        if is_new:
            service = arrivals.service[row]
            rates[service, 0] += 1
            rate = rates[service, 0] + rates[service, 1] * (1.0 - arrivals.elapsed)
            young.share[slot] = arrivals.share if rate > arrivals.threshold else 1.0
        young.reasons[slot] |= reasons[row]
        shares[row] = young.share[slot]


@njit(nogil=True, cache=True)
def _gather(
    young: _Half, old: _Half, keys: NDArray[np.uint64], reasons: NDArray[np.uint8], share: NDArray[np.float32]
) -> None:
    """Take in what the spans themselves say: after a restart nothing else is known of them."""
    for row in range(len(keys)):
        slot, is_new = _touch(young, old, keys[row])
        if is_new:
            young.share[slot] = share[row]
        young.reasons[slot] |= reasons[row]


@njit(nogil=True, cache=True)
def _decide(
    young: _Half, old: _Half, keys: NDArray[np.uint64], uniform: NDArray[np.float64], weights: NDArray[np.float32]
) -> None:
    for row in range(len(keys)):
        slot, _ = _touch(young, old, keys[row])
        if young.weight[slot] == _UNDECIDED:
            share = young.share[slot]
            if young.reasons[slot] != 0 or share >= 1:
                young.weight[slot] = 1
            elif uniform[row] < share:
                young.weight[slot] = 1 / share
            else:
                young.weight[slot] = 0
        weights[row] = young.weight[slot]
