"""From texts that every wanted line has to conditions that ClickHouse answers from its text index.

The index knows words: runs of letters in the line, digits and everything else being separators. A run of letters that
the needle bounds on both sides is a word of every line that has the needle; a run at the needle's end may be part of a
longer word, which a scan of the index' dictionary finds. What is not ASCII is never asked of the index, whatever it
takes for a letter there. The whole needle is looked for in the lines that are left.

User text reaches SQL as hexadecimal digits, and runs of ASCII letters as they are: nothing in it can end a literal.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from swarmscope.schema.log_tables import INDEXED_TEXT

_RUN = re.compile(rb"[A-Za-z]+")
# Each word costs a look-up; a few of the longest, which are the rarest mostly, leave out what can be left out.
_MAX_WORDS = 8
# Shorter parts of words stand in too many words for a scan of the dictionary to pay.
_MIN_PART_LENGTH = 3
_ASCII_END = 0x80


@dataclass(frozen=True, slots=True)
class NeedleWords:
    """What the index can be asked for one needle."""

    words: tuple[str, ...]  # words of every line that has the needle
    parts: tuple[str, ...]  # texts that lie within a word each


def needle_words(needle: bytes) -> NeedleWords:
    """The words and the parts of words in a needle."""
    words: list[str] = []
    parts: list[str] = []
    for match in _RUN.finditer(needle):
        text = match.group().decode()
        if _ends_word(needle, match.start() - 1) and _ends_word(needle, match.end()):
            words.append(text)
        elif len(text) >= _MIN_PART_LENGTH:
            parts.append(text)
    return NeedleWords(_longest(words), _longest(parts)[:1])


def _ends_word(needle: bytes, at: int) -> bool:
    return 0 <= at < len(needle) and needle[at] < _ASCII_END


def _longest(texts: list[str]) -> tuple[str, ...]:
    return tuple(sorted(set(texts), key=lambda text: (-len(text), text))[:_MAX_WORDS])


def needle_conditions(needles: tuple[str, ...], absent: tuple[str, ...]) -> Iterator[str]:
    """SQL that is true for every line that has all `needles` and none of `absent`; few others pass."""
    for needle in needles:
        encoded = encoded_text(needle)
        if not encoded:
            continue
        found = needle_words(encoded)
        if found.words:
            listed = ", ".join(f"'{word}'" for word in found.words)
            yield f"hasAllTokens({INDEXED_TEXT}, [{listed}])"
        for part in found.parts:
            yield f"{INDEXED_TEXT} LIKE '%{part}%'"
        yield f"position(line, unhex('{encoded.hex()}')) > 0"
    for text in absent:
        encoded = encoded_text(text)
        if encoded:
            yield f"position(line, unhex('{encoded.hex()}')) = 0"


def are_indexed(needles: tuple[str, ...]) -> bool:
    """Whether the index can be asked for any of the needles."""
    found = [needle_words(encoded_text(needle)) for needle in needles]
    return any(each.words or each.parts for each in found)


def value_conditions(values: tuple[str, ...]) -> Iterator[str]:
    """SQL that is true for every line that has all `values` or a backslash, for `LineRequest.values`."""
    for value in values:
        encoded = encoded_text(value)
        if encoded:
            yield f"(position(line, unhex('{encoded.hex()}')) > 0 OR position(line, unhex('5c')) > 0)"


def encoded_text(text: str) -> bytes:
    """UTF-8; empty, which asks for nothing, where the text has no such form."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return b""
