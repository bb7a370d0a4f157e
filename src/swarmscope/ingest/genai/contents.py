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
_BITS = 64
_STRING = int(ValueKind.STRING)
_NOT_SAID = NOT_SAID
_ARGUMENTS, _INPUT, _OUTPUT = int(Field.ARGUMENTS), int(Field.INPUT), int(Field.OUTPUT)
_TOOL, _HANDOFF = int(AgentOperation.EXECUTE_TOOL), int(AgentOperation.HANDOFF)
_IS_INFERENCE = np.array([operation in INFERENCE_OPERATIONS for operation in AgentOperation], np.bool_)
_IN_WORDS = np.array([byte >= 0x80 or chr(byte).isalnum() or byte == ord("_") for byte in range(256)], np.bool_)
_ONE = np.uint64(1)


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
    counts = np.empty(_BITS, np.int32)
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
        if pair == NO_PAIR or pairs.kind[pair] != _STRING:
            continue
        start, length = pairs.start[pair], pairs.length[pair]
        contents.content[at] = max(hash_bytes(base + start, length, seed), _ONE)
        contents.similarity[at] = _similarity(base, start, start + min(length, _MAX_BYTES), counts, seed)
    return contents


@njit(nogil=True, cache=True)
def _similarity(base: Int, at: Int, end: Int, counts: NDArray[np.int32], seed: Int) -> Int:
    counts[:] = 0
    n_words, before = 0, np.uint64(0)
    while at < end:
        if not _IN_WORDS[load_u8(base, at)]:
            at += 1
            continue
        begin = at
        while at < end and _IN_WORDS[load_u8(base, at)]:
            at += 1
        word = hash_bytes(base + begin, at - begin, seed)
        _count(counts, word)
        if n_words > 0:
            _count(counts, mix(before, word))
        before = word
        n_words += 1
    if n_words == 0:
        return np.uint64(0)
    found = np.uint64(0)
    for bit in range(_BITS):
        if counts[bit] > 0:
            found |= _ONE << np.uint64(bit)
    return max(found, _ONE)


@njit(nogil=True, cache=True)
def _count(counts: NDArray[np.int32], hashed: Int) -> None:
    for bit in range(_BITS):
        counts[bit] += np.int32((hashed >> np.uint64(bit)) & _ONE) * 2 - 1
