"""A push request between its bytes and a batch: the same columns for protobuf and JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.receivers.wire.log_pairs import Pairs


class EntryArrays(NamedTuple):
    """Entries in the order in which they came [room for n]."""

    ts_ns: NDArray[np.int64]
    line_start: NDArray[np.int64]
    line_length: NDArray[np.int64]
    pairs_begin: NDArray[np.int64]  # where the entry's pairs begin

    @classmethod
    def zeros(cls, n: int) -> EntryArrays:
        """Room for n entries."""
        return cls(*(np.zeros(n, np.int64) for _ in range(4)))


class PairArrays(NamedTuple):
    """Pairs of names and values [room for n]."""

    name_start: NDArray[np.int64]
    name_length: NDArray[np.int64]
    value_start: NDArray[np.int64]
    value_length: NDArray[np.int64]

    @classmethod
    def empty(cls, n: int) -> PairArrays:
        """Room for n pairs."""
        return cls(*(np.empty(n, np.int64) for _ in range(4)))

    def to_pairs(self, offsets: NDArray[np.int64]) -> Pairs:
        """The first pairs, `offsets[-1]` of them, by row."""
        return Pairs(offsets, *(column[: offsets[-1]] for column in self))


@dataclass(frozen=True, slots=True)
class PushColumns:
    """What one request says. Texts are slices of `buffer`, not checked to be UTF-8."""

    buffer: NDArray[np.uint8]
    stream_key: NDArray[np.uint64]  # [n_streams] hash of the labels as they stand
    make_labels: Callable[[int], dict[str, str]]  # of a stream; raises ValueError for labels that are none
    stream: NDArray[np.int64]  # [n_entries]
    entries: EntryArrays  # [n_entries]
    pairs: Pairs  # [n_entries]
