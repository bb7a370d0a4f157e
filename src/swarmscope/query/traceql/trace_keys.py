"""Trace ids in numbers of them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.logs import TRACE_ID_BYTES
from swarmscope.query.traceql.trace_numbers import number_ids

EARLIEST_NS, LATEST_NS = -(1 << 63), (1 << 63) - 1


class Candidates(NamedTuple):
    """Traces, and when the newest span of theirs that was seen began; the newest first."""

    ids: NDArray[np.uint8]  # [n, TRACE_ID_BYTES]
    newest_ns: NDArray[np.int64]  # [n]


def distinct_ids(ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every id [n, width] once, in order of appearance."""
    return ids[number_ids(ids).first]


def known_ids(ids: NDArray[np.uint8], known: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which of the ids [n, width] are among the `known`, which are distinct."""
    numbers = number_ids(np.concatenate([known, ids])).number[len(known) :]
    found: NDArray[np.bool_] = numbers < len(known)
    return found


def newest_first(trace_id: NDArray[np.uint8], start_ns: NDArray[np.int64]) -> Candidates:
    """Distinct traces of spans, those with the newest span first."""
    order = np.argsort(-start_ns, kind="stable")
    ids = np.ascontiguousarray(trace_id[order])
    first = number_ids(ids).first
    return Candidates(ids[first], start_ns[order[first]])


def as_bytes(ids: NDArray[np.uint8]) -> list[bytes]:
    """Ids [n, TRACE_ID_BYTES] as Python objects."""
    whole = np.ascontiguousarray(ids).tobytes()
    return [whole[i : i + TRACE_ID_BYTES] for i in range(0, len(whole), TRACE_ID_BYTES)]


def from_bytes(ids: list[bytes]) -> NDArray[np.uint8]:
    """The other way round."""
    return np.frombuffer(b"".join(ids), np.uint8).reshape(len(ids), TRACE_ID_BYTES)
