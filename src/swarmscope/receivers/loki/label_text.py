"""A stream's labels as text, `{app="shop", env='live'}`, as they stand in protobuf pushes.

Grammar: the selector of https://grafana.com/docs/loki/latest/query/log_queries/#log-stream-selector with `=` alone, and
names as in https://prometheus.io/docs/concepts/data_model/#metric-names-and-labels. Strings are Go's: escapes in
quotes, none in backticks.
"""

from __future__ import annotations

import re

from swarmscope.model.errors import MalformedInputError

_SPACE = re.compile(r"[ \t\r\n]*")
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_QUOTED = re.compile(r'"((?:[^"\\\n]|\\.)*)"', re.DOTALL)
_RAW = re.compile(r"`([^`]*)`")
_ESCAPE = re.compile(
    r"\\(?:([abfnrtv\\\"'])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL
)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"', "'": "'"}
_MAX_QUOTED_CHARACTERS = 300  # of the labels in a message to the sender


class LabelTextError(MalformedInputError, ValueError):
    """Labels that are none; the message has the labels, the place and the reason."""


def is_label_name(name: str) -> bool:
    """Whether a stream label may have the name."""
    return _NAME.fullmatch(name) is not None


def to_label_text(labels: dict[str, str]) -> str:
    """Labels in Loki's notation, sorted by name, cut where they are long."""
    pairs = ", ".join(f'{name}="{_escape(value)}"' for name, value in sorted(labels.items()))
    return shorten(f"{{{pairs}}}")


def shorten(text: str) -> str:
    """A text for a message to the sender."""
    return text if len(text) <= _MAX_QUOTED_CHARACTERS else f"{text[:_MAX_QUOTED_CHARACTERS]}…"


def _escape(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


class _LabelParser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def labels(self) -> dict[str, str]:
        """All labels; the last pair may be followed by a comma."""
        found: dict[str, str] = {}
        self._expect("{")
        while not self._take("}"):
            name = self._name()
            self._expect("=")
            value = self._string()
            if name in found:
                raise self._error(f"duplicate label name {name!r}")
            found[name] = value
            if not self._take(","):
                self._expect("}")
                break
        self._skip_space()
        if self._at < len(self._text):
            raise self._error(f"unexpected {self._text[self._at]!r} behind the labels")
        return {name: value for name, value in found.items() if value}

    def _skip_space(self) -> None:
        match = _SPACE.match(self._text, self._at)
        self._at = match.end() if match else self._at

    def _take(self, character: str) -> bool:
        self._skip_space()
        if not self._text.startswith(character, self._at):
            return False
        self._at += 1
        return True

    def _expect(self, character: str) -> None:
        if not self._take(character):
            found = repr(self._text[self._at]) if self._at < len(self._text) else "the end"
            raise self._error(f"unexpected {found}, expected {character!r}")

    def _name(self) -> str:
        self._skip_space()
        match = _NAME.match(self._text, self._at)
        if match is None:
            found = repr(self._text[self._at]) if self._at < len(self._text) else "the end"
            raise self._error(f"unexpected {found}, expected a label name")
        self._at = match.end()
        return match.group()

    def _string(self) -> str:
        self._skip_space()
        match = _RAW.match(self._text, self._at)
        if match is not None:
            self._at = match.end()
            return match.group(1)
        match = _QUOTED.match(self._text, self._at)
        if match is None:
            raise self._error("expected a string in quotes")
        value = self._unescape(match.group(1))
        self._at = match.end()
        return value

    def _unescape(self, text: str) -> str:
        if "\\" not in text:
            return text
        pieces: list[bytes] = []
        end = 0
        for match in _ESCAPE.finditer(text):
            pieces.append(text[end : match.start()].encode())
            pieces.append(self._escape_bytes(match))
            end = match.end()
        pieces.append(text[end:].encode())
        # \x and octal escapes are bytes, which need not be UTF-8 together.
        return b"".join(pieces).decode(errors="replace")

    def _escape_bytes(self, match: re.Match[str]) -> bytes:
        plain, byte, octal, short, long, unknown = match.groups()
        code = int(octal, 8) if octal else int(byte or short or long or "0", 16)
        if unknown is not None or code > 0x10FFFF or 0xD800 <= code < 0xE000 or (octal and code > 0xFF):
            raise self._error(f"unknown escape {match.group()!r} in a string")
        if plain:
            return _PLAIN[plain].encode()
        return bytes([code]) if byte or octal else chr(code).encode()

    def _error(self, reason: str) -> LabelTextError:
        # Line and column as Go's parsers count them.
        return LabelTextError(f"error parsing labels '{shorten(self._text)}' with error: 1:{self._at + 1}: {reason}")


def parse_label_text(text: str) -> dict[str, str]:
    """The labels of a text; empty values are dropped. Raises LabelTextError, which has the position."""
    return _LabelParser(text).labels()
