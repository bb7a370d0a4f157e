"""What is wrong with a line that `| logfmt --strict` refuses, in Loki's words. # Slow path: lines of answers"""

from __future__ import annotations

_SPACE, _EQUALS, _QUOTE, _BACKSLASH = 0x20, 0x3D, 0x22, 0x5C


def logfmt_error(line: bytes) -> str:
    """The first error of a line, "" where there is none. Positions are bytes, counted from 1."""
    at = 0
    while at < len(line):
        if line[at] <= _SPACE:
            at += 1
            continue
        at, error = _pair(line, at)
        if error:
            return f"logfmt syntax error at pos {at + 1} : {error}"
    return ""


def _pair(line: bytes, at: int) -> tuple[int, str]:
    """Behind the pair that begins here; or where it is broken, and how."""
    begin = at
    while at < len(line) and line[at] > _SPACE and line[at] not in (_EQUALS, _QUOTE):
        at += 1
    if at == len(line) or line[at] <= _SPACE:
        return at, ""
    if at == begin or line[at] == _QUOTE:
        return at, _unexpected(line[at])
    at += 1
    if at < len(line) and line[at] == _QUOTE:
        return _quoted(line, at)
    while at < len(line) and line[at] > _SPACE:
        if line[at] in (_EQUALS, _QUOTE):
            return at, _unexpected(line[at])
        at += 1
    return at, ""


def _quoted(line: bytes, at: int) -> tuple[int, str]:
    at += 1
    while at < len(line) and line[at] != _QUOTE:
        at += 2 if line[at] == _BACKSLASH else 1
    if at >= len(line):
        return len(line), "unterminated quoted value"
    return at + 1, ""


def _unexpected(byte: int) -> str:
    return f"unexpected {chr(byte)!r}"
