"""Go's string literals. Source: https://go.dev/ref/spec#String_literals and strconv.Quote."""

from __future__ import annotations

import re

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([abfnrtv\\\"]))|(\\)")
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}


def unquote(token: str) -> str:
    """The text of a string token in double quotes or backticks, read as Go reads it.

    Bytes that are no UTF-8 (`\\xff`) come out as lone surrogates, as `surrogateescape` makes them. Raises ValueError
    where an escape is none of Go's.
    """
    body = token[1:-1]
    if token[0] == "`":
        return body.replace("\r", "")
    if "\\" not in body:
        return body
    raw = bytearray()
    end = 0
    for match in _ESCAPE.finditer(body):
        raw += body[end : match.start()].encode("utf-8", "surrogatepass") + _escaped_bytes(match)
        end = match.end()
    raw += body[end:].encode("utf-8", "surrogatepass")
    return raw.decode("utf-8", "surrogateescape")


def _escaped_bytes(match: re.Match[str]) -> bytes:
    byte, octal, short, long, simple, _ = match.groups()
    if simple is not None:
        return _SIMPLE[simple].encode()
    if byte is not None:
        return bytes((int(byte, 16),))
    if octal is not None and int(octal, 8) < 256:
        return bytes((int(octal, 8),))
    code = int(short or long or "0", 16)
    if (short is None and long is None) or code > 0x10FFFF or 0xD800 <= code < 0xE000:
        raise ValueError("invalid escape in a string")
    return chr(code).encode()


def quote_go(text: str) -> str:
    """A string in double quotes, as Go's `%q` has it."""
    return '"' + "".join(_ESCAPES.get(c, c if c.isprintable() else _escape(c)) for c in text) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8
        return f"\\x{code - 0xDC00:02x}"
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
