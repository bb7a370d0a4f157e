"""What makes two spans the same one: tenant, trace, span id, start, and kind.

Zipkin's client and server halves of a call may share their id, and even begin in the same microsecond: the kind tells
them apart.
"""

from __future__ import annotations

import zlib

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_hash import mix
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.raw_memory import Int, address_of, load_u64
from swarmscope.store.embedded.spans.span_columns import Spans


def span_digests(spans: Spans, tenant: str, seed: np.uint64) -> NDArray[np.uint64]:
    """A hash [n] of each span's identity, never 0."""
    key = mix(seed, np.uint64(zlib.crc32(tenant.encode())))
    digests: NDArray[np.uint64] = _digests(
        np.ascontiguousarray(spans.trace_id), np.ascontiguousarray(spans.span_id),
        np.ascontiguousarray(spans.ts_ns), np.ascontiguousarray(spans.kind), np.uint64(key),
    )  # fmt: skip
    return digests


@njit(nogil=True, cache=True)
def _digests(
    trace_id: NDArray[np.uint8],
    span_id: NDArray[np.uint8],
    ts_ns: NDArray[np.int64],
    kind: NDArray[np.uint8],
    seed: Int,
) -> NDArray[np.uint64]:
    digests = np.empty(len(ts_ns), np.uint64)
    traces, spans = address_of(trace_id), address_of(span_id)
    for row in range(len(ts_ns)):
        digest = mix(mix(seed, load_u64(traces, row * TRACE_ID_BYTES)), load_u64(traces, row * TRACE_ID_BYTES + 8))
        digest = mix(mix(mix(digest, load_u64(spans, row * SPAN_ID_BYTES)), ts_ns[row]), kind[row])
        digests[row] = digest if digest != np.uint64(0) else np.uint64(1)
    return digests


def first_of_each(
    trace_id: NDArray[np.uint8], span_id: NDArray[np.uint8], ts_ns: NDArray[np.int64], kind: NDArray[np.uint8]
) -> NDArray[np.int64] | None:
    """The rows [n] without those that repeat an earlier one, in order; None where none does."""
    if len(ts_ns) < 2:
        return None
    keys = np.empty((len(ts_ns), TRACE_ID_BYTES + SPAN_ID_BYTES + 9), np.uint8)
    keys[:, :TRACE_ID_BYTES] = trace_id
    keys[:, TRACE_ID_BYTES : TRACE_ID_BYTES + SPAN_ID_BYTES] = span_id
    keys[:, -9:-1] = np.ascontiguousarray(ts_ns).view(np.uint8).reshape(-1, 8)
    keys[:, -1] = kind
    _, first = np.unique(keys.view(f"V{keys.shape[1]}").reshape(-1), return_index=True)
    return None if len(first) == len(ts_ns) else np.sort(first)
