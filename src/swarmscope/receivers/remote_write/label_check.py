"""Labels of series never seen before: are they a label set? Empty values are dropped, as Prometheus does."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.raw_memory import Int, address_of, load_u8, load_u64
from swarmscope.receivers.wire.key_hash import HashSecrets, derive_secrets, hash_span, to_tuple
from swarmscope.receivers.wire.utf8 import is_utf8

REASONS = (
    "",
    "a label refers to a symbol that is not there",
    "an odd number of label references",
    "a label name is empty",
    "a label name stands twice",
    "a label is not UTF-8",
    "the metric name (label __name__) is missing or empty",
)
GOOD, REF_OUT_OF_RANGE, ODD_REFS, EMPTY_NAME, REPEATED_NAME, NOT_UTF8, NO_METRIC_NAME = range(7)

_NAME_BYTES = int.from_bytes(b"__name__", "little")
_EXAMPLE_LABELS = 8
_EXAMPLE_CHARACTERS = 60


class PairArrays(NamedTuple):
    """Label pairs of several sets; set i owns the pairs `offsets[i] : offsets[i + 1]`."""

    buffer: NDArray[np.uint8]
    offsets: NDArray[np.int64]
    name_start: NDArray[np.int64]
    name_length: NDArray[np.int64]
    value_start: NDArray[np.int64]
    value_length: NDArray[np.int64]


@njit(nogil=True, cache=True)
def _is_before(base: Int, first: tuple[Int, Int], second: tuple[Int, Int]) -> bool:
    """Whether one byte string sorts before another one."""
    for offset in range(min(first[1], second[1])):
        left = load_u8(base, first[0] + offset)
        right = load_u8(base, second[0] + offset)
        if left != right:
            return bool(left < right)
    return bool(first[1] < second[1])


@njit(nogil=True, cache=True)
def _has_repeated_name(base: Int, pairs: PairArrays, begin: Int, end: Int, secrets: HashSecrets) -> bool:
    ascending = True
    for pair in range(begin + 1, end):
        before = (pairs.name_start[pair - 1], pairs.name_length[pair - 1])
        if not _is_before(base, before, (pairs.name_start[pair], pairs.name_length[pair])):
            ascending = False
            break
    if ascending:
        return False
    # Slow path: unsorted labels. A secret hash, so that nobody can make two names look like one.
    hashes = np.empty(end - begin, np.uint64)
    for pair in range(begin, end):
        hashes[pair - begin] = hash_span(base, pairs.name_start[pair], pairs.name_length[pair], secrets)
    hashes.sort()
    return bool(np.any(hashes[1:] == hashes[:-1]))


@njit(nogil=True, cache=True)
def _check_set(base: Int, pairs: PairArrays, begin: Int, end: Int, needs_name: bool) -> Int:
    has_name = not needs_name
    for pair in range(begin, end):
        start = pairs.name_start[pair]
        length = pairs.name_length[pair]
        if length == 0:
            return EMPTY_NAME
        if not is_utf8(base, start, length):
            return NOT_UTF8
        if not is_utf8(base, pairs.value_start[pair], pairs.value_length[pair]):
            return NOT_UTF8
        if length == 8 and pairs.value_length[pair] > 0 and load_u64(base, start) == uint64(_NAME_BYTES):
            has_name = True
    return GOOD if has_name else NO_METRIC_NAME


@njit(nogil=True, cache=True)
def check_sets(pairs: PairArrays, verdict: NDArray[np.int64], needs_name: bool, words: NDArray[np.uint64]) -> None:
    """Judge each set [n] whose verdict is still GOOD."""
    base = address_of(pairs.buffer)
    secrets = to_tuple(words)
    for row in range(len(verdict)):
        if verdict[row] != GOOD:
            continue
        begin = pairs.offsets[row]
        end = pairs.offsets[row + 1]
        verdict[row] = _check_set(base, pairs, begin, end, needs_name)
        if verdict[row] == GOOD and _has_repeated_name(base, pairs, begin, end, secrets):
            verdict[row] = REPEATED_NAME


def make_pairs(offsets: NDArray[np.int64], names: Utf8Column, values: Utf8Column) -> PairArrays:
    """Pairs for the compiled checks; all columns are slices of the same buffer."""
    return PairArrays(
        names.buffer,
        np.ascontiguousarray(offsets),
        np.ascontiguousarray(names.start),
        np.ascontiguousarray(names.length),
        np.ascontiguousarray(values.start),
        np.ascontiguousarray(values.length),
    )


def judge(pairs: PairArrays, verdict: NDArray[np.int64], seed: int, *, needs_name: bool) -> None:
    """Fill in `verdict` [n_sets] where it is GOOD so far."""
    check_sets(pairs, verdict, needs_name, derive_secrets(seed, 3))


def keep_sets(pairs: PairArrays, kept: NDArray[np.bool_]) -> LabelSets:
    """The chosen sets, without labels whose value is empty."""
    per_set = np.diff(pairs.offsets)
    set_of_pair = np.repeat(np.arange(len(per_set)), per_set)
    chosen = np.flatnonzero(kept[set_of_pair] & (pairs.value_length > 0))
    counts = np.bincount(set_of_pair[chosen], minlength=len(per_set))[kept]
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
    names = Utf8Column(pairs.buffer, pairs.name_start[chosen], pairs.name_length[chosen])
    values = Utf8Column(pairs.buffer, pairs.value_start[chosen], pairs.value_length[chosen])
    return LabelSets(offsets, names, values)


def describe_set(pairs: PairArrays, row: int) -> str:
    """A refused set as text for its sender, cut where it is long. # Slow path"""

    def text(start: int, length: int) -> str:
        cut = pairs.buffer[start : start + min(length, _EXAMPLE_CHARACTERS)].tobytes()
        return cut.decode("utf-8", "backslashreplace") + ("…" if length > _EXAMPLE_CHARACTERS else "")

    begin, end = int(pairs.offsets[row]), int(pairs.offsets[row + 1])
    parts = [
        f"{text(int(pairs.name_start[pair]), int(pairs.name_length[pair]))}="
        f'"{text(int(pairs.value_start[pair]), int(pairs.value_length[pair]))}"'
        for pair in range(begin, min(end, begin + _EXAMPLE_LABELS))
    ]
    return "{" + ", ".join(parts) + (", …" if end - begin > _EXAMPLE_LABELS else "") + "}"
