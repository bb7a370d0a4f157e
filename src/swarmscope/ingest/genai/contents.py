"""What was said or asked for: a hash for the same, and a similarity hash for nearly the same.

The similarity hash is Charikar's: https://www.cs.princeton.edu/courses/archive/spring04/cos598B/bib/CharikarEstim.pdf,
over words and pairs of neighbouring words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.genai.attribute import Field
from swarmscope.ingest.genai.reading import NO_PAIR, Pairs
from swarmscope.model.agents import INFERENCE_OPERATIONS, NOT_SAID, AgentOperation
from swarmscope.model.attributes import ValueKind
from swarmscope.model.byte_hash import hash_bytes, mix
from swarmscope.model.raw_memory import Int, address_of, load_u8

# The beginning tells enough, and long texts would cost more than all else.
_MAX_BYTES = 512
# Words and pairs in so many bytes are fewer than 2 ** _PLANES.
_PLANES = 10
_STRING = int(ValueKind.STRING)
_NOT_SAID = NOT_SAID
_ARGUMENTS, _INPUT = int(Field.ARGUMENTS), int(Field.INPUT)
_OUTPUT, _RESULT = int(Field.OUTPUT), int(Field.RESULT)
_TOOL, _HANDOFF = int(AgentOperation.EXECUTE_TOOL), int(AgentOperation.HANDOFF)
_IS_INFERENCE = np.array([operation in INFERENCE_OPERATIONS for operation in AgentOperation], np.bool_)
_IN_WORDS = np.array([byte >= 0x80 or chr(byte).isalnum() or byte == ord("_") for byte in range(256)], np.bool_)
_ONE = np.uint64(1)
_ALL = np.uint64(0xFFFF_FFFF_FFFF_FFFF)


class Contents(NamedTuple):
    """Of told rows [n_told]."""

    content: NDArray[np.uint64]  # 0 for none
    similarity: NDArray[np.uint64]  # 0 for none
    bytes: NDArray[np.int64]  # of what was handed over, NOT_SAID


@njit(nogil=True, cache=True)
def read_contents(pairs: Pairs, chosen: NDArray[np.int64], operation: NDArray[np.uint8], seed: np.uint64) -> Contents:
    """A tool call is its arguments, a call of a model what it answered, all else what it was given."""
    n, base = len(operation), address_of(pairs.buffer)
    contents = Contents(np.zeros(n, np.uint64), np.zeros(n, np.uint64), np.full(n, _NOT_SAID, np.int64))
    planes = np.empty(_PLANES, np.uint64)
    for at in range(n):
        if operation[at] == AgentOperation.NONE:
            continue
        given = chosen[_INPUT, at]
        if operation[at] == _TOOL or operation[at] == _HANDOFF:
            given = chosen[_ARGUMENTS, at] if chosen[_ARGUMENTS, at] != NO_PAIR else given
        if given != NO_PAIR:
            contents.bytes[at] = pairs.length[given]
        pair = given
        if (_IS_INFERENCE[operation[at]] or given == NO_PAIR) and chosen[_OUTPUT, at] != NO_PAIR:
            pair = chosen[_OUTPUT, at]
        elif given == NO_PAIR and not _IS_INFERENCE[operation[at]]:
            pair = chosen[_RESULT, at]
        if pair == NO_PAIR or pairs.kind[pair] != _STRING:
            continue
        start, length = pairs.start[pair], pairs.length[pair]
        contents.content[at] = max(hash_bytes(base + start, length, seed), _ONE)
        contents.similarity[at] = _similarity(base, start, start + min(length, _MAX_BYTES), planes, seed)
    return contents


@njit(nogil=True, cache=True)
def _similarity(base: Int, at: Int, end: Int, planes: NDArray[np.uint64], seed: Int) -> Int:
    """A bit is set where it is set in most words and pairs; plane k holds bit k of the counts of all 64."""
    planes[:] = 0
    n_counted, before = 0, np.uint64(0)
    while at < end:
        if not _IN_WORDS[load_u8(base, at)]:
            at += 1
            continue
        begin = at
        while at < end and _IN_WORDS[load_u8(base, at)]:
            at += 1
        word = hash_bytes(base + begin, at - begin, seed)
        _count(planes, word)
        if n_counted > 0:
            _count(planes, mix(before, word))
            n_counted += 1
        before = word
        n_counted += 1
    if n_counted == 0:
        return np.uint64(0)
    more, same = np.uint64(0), _ALL
    for plane in range(_PLANES - 1, -1, -1):
        half = _ALL if (n_counted // 2) >> plane & 1 else np.uint64(0)
        more |= same & planes[plane] & ~half
        same &= ~(planes[plane] ^ half)
    return max(more, _ONE)


@njit(nogil=True, cache=True)
def _count(planes: NDArray[np.uint64], hashed: Int) -> None:
    """Add a number of one bit to each of 64 counts."""
    carry = np.uint64(hashed)
    for plane in range(_PLANES):
        overflow = planes[plane] & carry
        planes[plane] ^= carry
        carry = overflow
        if carry == 0:
            break
