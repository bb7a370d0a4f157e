"""One number for a span, wherever it is seen: as itself, as a parent, or at the end of a link."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_hash import mix
from swarmscope.model.raw_memory import Int


def span_keys(seed: int, trace_id: NDArray[np.uint8], span_id: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The key [n] of the spans with trace id [n, TRACE_ID_BYTES] and span id [n, SPAN_ID_BYTES].

    0 where the span id is zero (no span), and never 0 otherwise. Keys of different seeds say nothing of each other.
    """
    traces = np.ascontiguousarray(trace_id).view(np.uint64)
    spans = np.ascontiguousarray(span_id).view(np.uint64)
    # Compiled once, whether the ids may be written to or not.
    traces.flags.writeable = spans.flags.writeable = False
    keys: NDArray[np.uint64] = _all_keys(np.uint64(seed), traces, spans)
    return keys


@njit(nogil=True, cache=True, inline="always")
def span_key(seed: Int, trace_low: Int, trace_high: Int, span: Int) -> Int:
    """The key of one span. The ids are the little-endian words of their bytes as they are on the wire."""
    key = mix(mix(mix(np.uint64(seed), trace_low), trace_high), span)
    return np.uint64(0) if span == 0 else max(key, np.uint64(1))


@njit(nogil=True, cache=True)
def _all_keys(seed: np.uint64, traces: NDArray[np.uint64], spans: NDArray[np.uint64]) -> NDArray[np.uint64]:
    keys = np.empty(len(spans), np.uint64)
    for row in range(len(spans)):
        keys[row] = span_key(seed, traces[row, 0], traces[row, 1], spans[row, 0])
    return keys
