"""How grave is a line whose sender did not say: from its severity number, its fields, or its words.

As Loki's `discover_log_levels` does: the severity number, else structured metadata or a stream label of a telling name,
else a field of such a name in a JSON (two levels deep, not in arrays) or logfmt line, else the first telling word.
https://grafana.com/docs/loki/latest/configure/#limits_config
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.level_words import (
    LONGEST_NAME,
    MAX_WORD_BYTES,
    NO_LEVEL,
    NO_WORD,
    WORD_BEGIN,
    WORD_BYTES,
    level_of_value,
    level_of_word,
    names_a_level,
)
from swarmscope.model.contracts import LogSink, Receipt
from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import Level, LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES

# A field or a word that tells the level stands early; long texts are not searched to their end.
_MAX_SEARCHED_BYTES = 4096
_JSON_DEPTH = 2
# Only streams with a level in their labels are remembered, 100 bytes each; above this the oldest are forgotten.
_REMEMBERED_STREAMS = 500_000
_QUOTE, _BACKSLASH, _COLON, _EQUALS = 0x22, 0x5C, 0x3A, 0x3D


def _levels_by_severity() -> NDArray[np.uint8]:
    levels = np.zeros(256, np.uint8)
    for first, level in ((1, Level.TRACE), (5, Level.DEBUG), (9, Level.INFO), (13, Level.WARN), (17, Level.ERROR)):
        levels[first : first + 4] = level
    levels[21:25] = Level.FATAL
    return levels


_OF_SEVERITY = _levels_by_severity()


class LevellingSink:
    """Fills `level` where it is UNKNOWN. Thread-safe."""

    def __init__(self, inner: LogSink) -> None:
        self._inner = inner
        self._of_stream: dict[tuple[str, int], int] = {}
        self._lock = threading.Lock()

    def write_logs(self, batch: LogBatch) -> Receipt:
        """As `LogSink.write_logs`."""
        self._learn(batch)
        _fill(batch, _OF_SEVERITY[batch.severity])
        if (batch.level == Level.UNKNOWN).any():
            _fill(batch, levels_of_sets(batch.metadata))
            if self._of_stream:
                key_levels = [self._of_stream.get((batch.tenant, key), NO_LEVEL) for key in batch.stream_key.tolist()]
                _fill(batch, np.array(key_levels, np.uint8)[batch.stream])
            line = _Lines(batch.line.buffer, batch.line.start, batch.line.length)
            _search_lines(line, batch.level)
        return self._inner.write_logs(batch)

    def _learn(self, batch: LogBatch) -> None:
        """Remember the levels that new streams' labels tell: later batches do not carry the labels."""
        if not len(batch.new_labels):
            return
        levels = levels_of_sets(batch.new_labels)
        telling = np.flatnonzero(levels)
        if not len(telling):
            return
        keys = batch.stream_key[batch.stream_ref == UNKNOWN_SERIES][telling]
        with self._lock:
            for key, level in zip(keys.tolist(), levels[telling].tolist(), strict=True):
                self._of_stream[batch.tenant, key] = level
            while len(self._of_stream) > _REMEMBERED_STREAMS:
                del self._of_stream[next(iter(self._of_stream))]


def _fill(batch: LogBatch, levels: NDArray[np.uint8]) -> None:
    batch.level = np.where(batch.level == Level.UNKNOWN, levels, batch.level)


def levels_of_sets(sets: LabelSets) -> NDArray[np.uint8]:
    """The level [n_sets] that a pair with a telling name says, UNKNOWN where there is none."""
    names, values = sets.names, sets.values
    pairs = _Lines(names.buffer, names.start, names.length), _Lines(values.buffer, values.start, values.length)
    return _levels_of_sets(sets.offsets, *pairs)


class _Lines(NamedTuple):
    buffer: NDArray[np.uint8]
    start: NDArray[np.int64]
    length: NDArray[np.int64]


@njit(nogil=True, cache=True)
def _levels_of_sets(offsets: NDArray[np.int64], names: _Lines, values: _Lines) -> NDArray[np.uint8]:
    levels = np.zeros(len(offsets) - 1, np.uint8)
    for row in range(len(levels)):
        for pair in range(offsets[row], offsets[row + 1]):
            name = names.start[pair]
            if not names_a_level(names.buffer, name, name + names.length[pair]):
                continue
            value = values.start[pair]
            levels[row] = level_of_value(values.buffer, value, value + values.length[pair])
            if levels[row] != NO_LEVEL:
                break
    return levels


@njit(nogil=True, cache=True)
def _search_lines(lines: _Lines, levels: NDArray[np.uint8]) -> None:
    """Fill levels [n] where there is none."""
    for row in range(len(levels)):
        if levels[row] != NO_LEVEL:
            continue
        start = lines.start[row]
        end = start + lines.length[row]
        while start < end and lines.buffer[start] <= 0x20:
            start += 1
        while end > start and lines.buffer[end - 1] <= 0x20:
            end -= 1
        if end - start >= 2 and lines.buffer[start] == 0x7B and lines.buffer[end - 1] == 0x7D:
            levels[row] = _search_json(lines.buffer, start, min(end, start + _MAX_SEARCHED_BYTES))
        else:
            levels[row] = _search_text(lines.buffer, start, min(end, start + _MAX_SEARCHED_BYTES))


@njit(nogil=True, cache=True)
def _string_end(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    """Where the closing quote of the string whose content begins at `at` stands, at most `end`."""
    while at < end and buffer[at] != _QUOTE:
        at += 2 if buffer[at] == _BACKSLASH else 1
    return min(at, end)


@njit(nogil=True, cache=True)
def _skip_spaces(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    while at < end and buffer[at] <= 0x20:
        at += 1
    return at


@njit(nogil=True, cache=True)
def _search_json(buffer: NDArray[np.uint8], start: int, end: int) -> int:
    """The level that a field tells, else the first telling word in a value."""
    objects, arrays, at = 0, 0, start
    while at < end:
        byte = buffer[at]
        at += 1
        if byte == 0x7B or byte == 0x7D:
            objects += 1 if byte == 0x7B else -1
        elif byte == 0x5B or byte == 0x5D:
            arrays += 1 if byte == 0x5B else -1
        if byte != _QUOTE:
            continue
        begin, stop = at, _string_end(buffer, at, end)
        at = stop + 1
        if objects > _JSON_DEPTH or arrays or not names_a_level(buffer, begin, stop):
            continue
        at = _skip_spaces(buffer, at, end)
        if at >= end or buffer[at] != _COLON:
            continue
        at = _skip_spaces(buffer, at + 1, end)
        if at < end and buffer[at] == _QUOTE:
            level = level_of_value(buffer, at + 1, _string_end(buffer, at + 1, end))
            if level != NO_LEVEL:
                return level
    return _search_json_words(buffer, start, end)


@njit(nogil=True, cache=True)
def _search_json_words(buffer: NDArray[np.uint8], start: int, end: int) -> int:
    """The first telling word in a string that is a value: a key named `error` says nothing."""
    at = start
    while at < end:
        at += 1
        if buffer[at - 1] != _QUOTE:
            continue
        begin, stop = at, _string_end(buffer, at, end)
        at = _skip_spaces(buffer, stop + 1, end)
        if at < end and buffer[at] == _COLON:
            continue
        level = _search_words(buffer, begin, stop)
        if level != NO_LEVEL:
            return level
    return NO_LEVEL


@njit(nogil=True, cache=True)
def _search_text(buffer: NDArray[np.uint8], start: int, end: int) -> int:
    """The level that a field `name=value` tells, else the first telling word."""
    for at in range(start, end):
        if buffer[at] != _EQUALS:
            continue
        # Where an equals sign is, a name may stand before it, behind white space.
        begin = at
        while begin > start and at - begin <= LONGEST_NAME and buffer[begin - 1] > 0x20:
            begin -= 1
        if names_a_level(buffer, begin, at):
            level = _logfmt_level(buffer, at + 1, end)
            if level != NO_LEVEL:
                return level
    return _search_words(buffer, start, end)


@njit(nogil=True, cache=True)
def _logfmt_level(buffer: NDArray[np.uint8], at: int, end: int) -> int:
    if at < end and buffer[at] == _QUOTE:
        return level_of_value(buffer, at + 1, _string_end(buffer, at + 1, end))
    stop = at
    while stop < end and buffer[stop] > 0x20:
        stop += 1
    return level_of_value(buffer, at, stop)


@njit(nogil=True, cache=True)
def _search_words(buffer: NDArray[np.uint8], start: int, end: int) -> int:
    """The level of the first telling word. Letters that touch a digit or an underscore are part of something else."""
    at = start
    while at < end:
        kind = WORD_BYTES[buffer[at]]
        if kind == NO_WORD:
            at += 1
            continue
        begin = at
        while at < end and WORD_BYTES[buffer[at]] != NO_WORD:
            at += 1
        if kind == WORD_BEGIN and at - begin <= MAX_WORD_BYTES:
            level = level_of_word(buffer, begin, at)
            if level != NO_LEVEL:
                return level
    return NO_LEVEL


def warm_up() -> None:
    """Compile the kernels, or load them from the cache, for buffers that may and that may not be written to."""
    text = np.frombuffer(b"level=info", np.uint8)
    own = text.copy()
    # Names in the request's buffer, values in one of their own: so they come out of redaction.
    for of_names, of_values in ((text, text), (text, own), (own, own)):
        names = Utf8Column(of_names, np.zeros(1, np.int64), np.full(1, 5, np.int64))
        values = Utf8Column(of_values, np.full(1, 6, np.int64), np.full(1, 4, np.int64))
        levels_of_sets(LabelSets(np.array([0, 1], np.int64), names, values))
        _search_lines(_Lines(of_values, np.zeros(1, np.int64), np.full(1, 10, np.int64)), np.zeros(1, np.uint8))
