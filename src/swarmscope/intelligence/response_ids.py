"""Which span answered with which response: evaluators name what they evaluated by the response's id."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.evaluations import Responses

_MAX_RESPONSES = 1 << 16  # 16 bytes each


class ResponseIds:
    """The last responses of one tenant. Not thread-safe."""

    def __init__(self, max_responses: int = _MAX_RESPONSES) -> None:
        self._responses = np.zeros(max_responses, np.uint64)
        self._keys = np.zeros(max_responses, np.uint64)
        self._next = 0

    def put(self, told: Responses) -> None:
        """Remember; the oldest are forgotten."""
        room = len(self._responses)
        places = (self._next + np.arange(len(told.response))) % room
        self._responses[places], self._keys[places] = told.response, told.span_key
        self._next = (self._next + len(told.response)) % room

    def spans_of(self, wanted: Sequence[int]) -> list[int]:
        """The key of the span that gave each response, by the hash of its id; 0 where none is known."""
        if not wanted:
            return []
        sought = np.array(wanted, np.uint64)
        order = np.argsort(self._responses, kind="stable")
        at = np.minimum(np.searchsorted(self._responses, sought, side="right", sorter=order) - 1, len(order) - 1)
        found: NDArray[np.int64] = order[np.maximum(at, 0)]
        known = (self._responses[found] == sought) & (sought != 0)
        keys: list[int] = np.where(known, self._keys[found], np.uint64(0)).tolist()
        return keys
