"""Names of fields that tell a level, and the words for levels, as kernels compare them.

Kernels of other files inline these: after a change, delete their `__pycache__`.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.logs import Level

NO_LEVEL = 0  # Level.UNKNOWN, as a plain number
MAX_WORD_BYTES = 9

# `detected_level` is what a sender says who has detected it; the others are Loki's default `log_level_fields`.
LEVEL_NAMES = (
    "detected_level",
    *("level", "LEVEL", "Level", "log.level", "severity", "SEVERITY", "Severity", "SeverityText"),
    *("lvl", "LVL", "Lvl", "severity_text", "Severity_Text", "SEVERITY_TEXT"),
)
# Loki's words, and those of syslog, Python, Java and Go that mean the same.
_VALUES = {
    Level.TRACE: ("trace", "trc", "verbose", "finest"),
    Level.DEBUG: ("debug", "dbg", "fine"),
    Level.INFO: ("info", "inf", "informat", "notice"),
    Level.WARN: ("warn", "wrn", "warning"),
    Level.ERROR: ("error", "err", "eror", "severe"),
    Level.CRITICAL: ("critical", "crit", "alert"),
    Level.FATAL: ("fatal", "ftl", "emerg", "emergenc", "panic"),
}
# In running text only what is hardly anything else counts.
_WORDS = {
    Level.TRACE: ("trace",),
    Level.DEBUG: ("debug", "dbg"),
    Level.INFO: ("info",),
    Level.WARN: ("warn", "warning"),
    Level.ERROR: ("error", "err", "exceptio", "tracebac"),
    Level.CRITICAL: ("critical",),
    Level.FATAL: ("fatal", "panic"),
}
_PACKED_BYTES = 8


def _pack(word: str) -> int:
    return int.from_bytes(word.encode()[:_PACKED_BYTES], "little")


def _table(words: dict[Level, tuple[str, ...]]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
    pairs = [(_pack(word), level) for level, listed in words.items() for word in listed]
    return np.array([word for word, _ in pairs], np.uint64), np.array([level for _, level in pairs], np.uint8)


_VALUE_WORDS, _VALUE_LEVELS = _table(_VALUES)
_TEXT_WORDS, _TEXT_LEVELS = _table(_WORDS)
_NAMES = np.frombuffer("".join(LEVEL_NAMES).encode(), np.uint8)
_NAME_ENDS = np.cumsum([len(name) for name in LEVEL_NAMES]).astype(np.int64)
# What a byte is to a word in running text; telling words begin with few letters.
NO_WORD, WORD_PART, WORD_BEGIN = 0, 1, 2
_WORD_CHARACTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
_FIRST_LETTERS = {word[0] for words in _WORDS.values() for word in words}


def _word_bytes() -> NDArray[np.uint8]:
    kinds = np.zeros(256, np.uint8)
    kinds[128:] = WORD_PART
    kinds[[ord(character) for character in _WORD_CHARACTERS]] = WORD_PART
    kinds[[ord(letter) for first in _FIRST_LETTERS for letter in (first, first.upper())]] = WORD_BEGIN
    return kinds


WORD_BYTES = _word_bytes()
LONGEST_NAME = max(map(len, LEVEL_NAMES))
_SHORTEST_NAME = min(map(len, LEVEL_NAMES))
_LONGEST_VALUE = len("information")


@njit(nogil=True, cache=True)
def names_a_level(buffer: NDArray[np.uint8], start: int, end: int) -> bool:
    """Whether `buffer[start:end]` is one of LEVEL_NAMES."""
    size = end - start
    if size < _SHORTEST_NAME or size > LONGEST_NAME:
        return False
    # Fast path: nearly all names begin otherwise.
    first = buffer[start] | 0x20
    if first != 0x6C and first != 0x73 and first != 0x64:
        return False
    begin = 0
    for stop in _NAME_ENDS:
        if stop - begin == size:
            same = True
            for place in range(size):
                if buffer[start + place] != _NAMES[begin + place]:
                    same = False
                    break
            if same:
                return True
        begin = stop
    return False


@njit(nogil=True, cache=True)
def _packed(buffer: NDArray[np.uint8], start: int, end: int) -> np.uint64:
    """The first 8 bytes in lower case as a number, 0 where there is anything but letters."""
    packed = np.uint64(0)
    for place in range(end - start):
        byte = buffer[start + place]
        if not 0x41 <= (byte & 0xDF) <= 0x5A:
            return np.uint64(0)
        if place < _PACKED_BYTES:
            packed |= np.uint64(byte | 0x20) << np.uint64(8 * place)
    return packed


@njit(nogil=True, cache=True)
def level_of_value(buffer: NDArray[np.uint8], start: int, end: int) -> int:
    """The level that a field's value means, NO_LEVEL where it is none."""
    if end - start > _LONGEST_VALUE:
        return NO_LEVEL
    packed = _packed(buffer, start, end)
    for index in range(len(_VALUE_WORDS)):
        if _VALUE_WORDS[index] == packed:
            return int(_VALUE_LEVELS[index])
    return NO_LEVEL


@njit(nogil=True, cache=True)
def level_of_word(buffer: NDArray[np.uint8], start: int, end: int) -> int:
    """The level that a word in running text hints at, NO_LEVEL where it is none."""
    packed = _packed(buffer, start, end)
    for index in range(len(_TEXT_WORDS)):
        if _TEXT_WORDS[index] == packed:
            return int(_TEXT_LEVELS[index])
    return NO_LEVEL
