"""A push request in JSON as columns."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.errors import MalformedInputError
from swarmscope.model.raw_memory import address_of
from swarmscope.receivers.loki.json_kernel import (
    N_ENTRIES,
    N_LABELS,
    N_PAIRS,
    N_STREAMS,
    PushArrays,
    walk_push,
)
from swarmscope.receivers.loki.label_text import LabelTextError, is_label_name, to_label_text
from swarmscope.receivers.loki.push_columns import EntryArrays, PairArrays, PushColumns
from swarmscope.receivers.wire.key_hash import combine_hashes, derive_secrets, hash_span, to_tuple
from swarmscope.receivers.wire.log_memory import Claim, claim_nothing, line_bytes, pair_bytes
from swarmscope.receivers.wire.log_pairs import MAX_LINES, MAX_PAIRS, check_count

FAULT_TEXTS = (
    "",
    "this is not JSON",
    "an object is expected",
    "an array is expected",
    "a string is expected",
    "a time in nanoseconds, in a string, is expected",
    "an entry has a time and a line",
    "something stands behind the request",
)
_LABELS_PURPOSE = 8  # of the hash of labels
# First guesses at what a body of n bytes holds; a wrong one costs a second walk.
_ENTRY_BYTES, _PAIR_BYTES, _LABEL_BYTES, _STREAM_BYTES, _SPARE = 96, 64, 64, 96, 16
_SHOWN_BYTES = 40


@lru_cache(maxsize=16)
def _secrets(seed: int) -> NDArray[np.uint64]:
    return derive_secrets(seed, _LABELS_PURPOSE)


@njit(nogil=True, cache=True)
def _hash_labels(
    buffer: NDArray[np.uint8], begin: NDArray[np.int64], end: NDArray[np.int64], labels: PairArrays,
    words: NDArray[np.uint64],
) -> NDArray[np.uint64]:  # fmt: skip
    """One hash [n_streams] of the labels in the order in which they came."""
    base, secrets = address_of(buffer), to_tuple(words)
    keys = np.empty(len(begin), np.uint64)
    for stream in range(len(begin)):
        state = secrets[0]
        for pair in range(begin[stream], end[stream]):
            name = hash_span(base, labels.name_start[pair], labels.name_length[pair], secrets)
            value = hash_span(base, labels.value_start[pair], labels.value_length[pair], secrets)
            state = combine_hashes(combine_hashes(state, name, secrets), value, secrets)
        keys[stream] = state
    return keys


def _make_arrays(room: tuple[int, int, int, int]) -> PushArrays:
    n_entries, n_pairs, n_labels, n_streams = room
    return PushArrays(
        EntryArrays.zeros(n_entries), np.zeros(n_entries, np.int64), PairArrays.empty(n_pairs),
        PairArrays.empty(n_labels), np.zeros(n_streams, np.int64), np.zeros(n_streams, np.int64),
        np.zeros(4, np.int64), np.zeros(2, np.int64),
    )  # fmt: skip


def read_json_push(body: NDArray[np.uint8], seed: int, claim: Claim = claim_nothing) -> PushColumns:
    """Read a request. Raises MalformedInputError, which names the byte where it broke, and LimitExceededError."""
    n = len(body)
    room = tuple(n // size + _SPARE for size in (_ENTRY_BYTES, _PAIR_BYTES, _LABEL_BYTES, _STREAM_BYTES))
    while True:
        buffer, arrays = body.copy(), _make_arrays((room[0], room[1], room[2], room[3]))
        if not walk_push(buffer, arrays):
            raise _to_error(body, arrays)
        counts = tuple(arrays.counts.tolist())
        check_count(counts[N_ENTRIES], MAX_LINES, "lines")
        check_count(max(counts), MAX_PAIRS, "labels or metadata pairs")
        claim(line_bytes(n, counts[N_ENTRIES] + counts[N_STREAMS]) + pair_bytes(counts[N_PAIRS] + counts[N_LABELS]))
        if all(count <= place for count, place in zip(counts, room, strict=True)):
            break
        room = tuple(max(pair) for pair in zip(counts, room, strict=True))
    buffer.flags.writeable = False
    n_entries, n_streams = counts[N_ENTRIES], counts[N_STREAMS]
    entries = EntryArrays(*(column[:n_entries] for column in arrays.entries))
    begin, end = arrays.labels_begin[:n_streams], arrays.labels_end[:n_streams]
    labels = PairArrays(*(column[: counts[N_LABELS]] for column in arrays.labels))

    def make_labels(stream: int) -> dict[str, str]:
        return _to_labels(buffer, labels, range(int(begin[stream]), int(end[stream])))

    keys = _hash_labels(buffer, begin, end, labels, _secrets(seed))
    offsets = np.append(entries.pairs_begin, counts[N_PAIRS])
    return PushColumns(
        buffer, keys, make_labels, arrays.entry_stream[:n_entries], entries, arrays.pairs.to_pairs(offsets)
    )


def _to_labels(buffer: NDArray[np.uint8], labels: PairArrays, rows: range) -> dict[str, str]:
    """A stream's labels; of a name that stands twice the last one counts. Raises LabelTextError."""
    found: dict[str, str] = {}
    for row in rows:
        spans = (labels.name_start[row], labels.name_length[row]), (labels.value_start[row], labels.value_length[row])
        name, value = (buffer[at : at + size].tobytes().decode(errors="replace") for at, size in spans)
        found[name] = value
    for name in found:
        if not is_label_name(name):
            text = to_label_text(found)
            raise LabelTextError(f"error parsing labels '{text}' with error: {name!r} is not a label name")
    return {name: value for name, value in found.items() if value}


def _to_error(body: NDArray[np.uint8], arrays: PushArrays) -> MalformedInputError:
    fault, offset = arrays.fault.tolist()
    shown = body[offset : offset + _SHOWN_BYTES].tobytes().decode(errors="replace")
    return MalformedInputError(f"the push request at byte {offset}: {FAULT_TEXTS[fault]}, not {shown!r}")
