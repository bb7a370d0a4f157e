"""The memory that requests being decoded may take together.

A message of two bytes becomes a row of a hundred, so the size of a body says little about what it costs, and some tens
of hostile bodies at once would be the end of the machine. Each decoder knows its worst case (measured, see where it
declares its factor); a request takes that much of the room before it is decoded, and gives back what it did not need.
"""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.errors import LimitExceededError
from swarmscope.model.metrics import MetricBatch

LIMIT = "limits.max_decode_memory"
# Fits a machine of 8 GiB beside the store; usual requests take a few MiB of it.
DEFAULT_BYTES = 1 << 30
# Decoding takes some tens of milliseconds; who waits longer than this keeps a thread from others.
DEFAULT_WAIT_S = 0.5
_RETRY_AFTER_S = 1.0
# Four strings, their lists' places, and what is made of them until they are rows.
_METADATA_BYTES = 600


class DecodeRoom:
    """Bytes that all requests under way may take together. Thread-safe; `taken` blocks.

    A request that needs more than there is altogether is decoded alone: waiting could never make it fit, and the
    bounds on its size bound its memory.
    """

    def __init__(self, max_bytes: int = DEFAULT_BYTES, max_wait_s: float = DEFAULT_WAIT_S) -> None:
        self.max_bytes = max_bytes
        self.max_wait_s = max_wait_s
        self._held_bytes = 0
        self._changed = threading.Condition()

    @property
    def held_bytes(self) -> int:
        """What is taken now."""
        return self._held_bytes

    @contextmanager
    def taken(self, n_bytes: int = 0) -> Iterator[Share]:
        """A share of `n_bytes`, given back at the end. Raises LimitExceededError where it does not come in time."""
        share = Share(self)
        share.resize(n_bytes)
        try:
            yield share
        finally:
            share.resize(0)

    def exchange(self, held_bytes: int, wanted_bytes: int) -> None:
        """Turn a share of `held_bytes` into one of `wanted_bytes`; on LimitExceededError it stays as it was."""
        deadline_s = time.monotonic() + self.max_wait_s
        with self._changed:
            while wanted_bytes > held_bytes and not self._fits(held_bytes, wanted_bytes):
                left_s = deadline_s - time.monotonic()
                if left_s <= 0:
                    raise LimitExceededError(
                        f"{LIMIT} is {self.max_bytes}: requests under way take {self._held_bytes - held_bytes} bytes, "
                        f"and this one may take {wanted_bytes}",
                        limit=LIMIT,
                        retry_after_s=_RETRY_AFTER_S,
                    )
                self._changed.wait(left_s)
            self._held_bytes += wanted_bytes - held_bytes
            if wanted_bytes < held_bytes:
                self._changed.notify_all()

    def _fits(self, held_bytes: int, wanted_bytes: int) -> bool:
        others_bytes = self._held_bytes - held_bytes
        return others_bytes == 0 or others_bytes + wanted_bytes <= self.max_bytes


class Share:
    """One request's part of a `DecodeRoom`; used by one thread."""

    def __init__(self, room: DecodeRoom) -> None:
        self._room = room
        self.n_bytes = 0

    def resize(self, n_bytes: int) -> None:
        """Give back or take more; taking more waits, and raises LimitExceededError, as `DecodeRoom.taken`."""
        self._room.exchange(self.n_bytes, n_bytes)
        self.n_bytes = n_bytes


def array_bytes(batch: object) -> int:
    """Memory that the arrays of a dataclass keep alive: whole, also where it shows a part of them."""
    roots: dict[int, int] = {}
    _note_roots(batch, roots)
    return sum(roots.values())


def batch_bytes(batch: MetricBatch) -> int:
    """Memory that a decoded batch keeps alive."""
    return array_bytes(batch) + (_METADATA_BYTES * len(batch.metadata) if batch.metadata is not None else 0)


def _note_roots(value: Any, roots: dict[int, int]) -> None:
    """Size by identity of every array that owns memory which `value`, an array or a dataclass of them, shows."""
    if isinstance(value, np.ndarray):
        root = _root(value)
        roots[id(root)] = root.nbytes
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            _note_roots(getattr(value, field.name), roots)


def _root(array: NDArray[Any]) -> NDArray[Any]:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array
