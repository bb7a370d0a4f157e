"""The classic form: names are ASCII, and a value may stand without quotes whatever it holds."""

from __future__ import annotations

import re

from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.matchers import Matcher, MatchOperator

# `=~` before `=`: the longer operator is meant.
_MATCHER = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)\s*(=~|!~|!=|=)\s*(.*?)\s*", re.DOTALL | re.ASCII)
_ESCAPES = {"n": "\n", '"': '"', "\\": "\\"}


def parse_classic(text: str) -> Matcher:
    """One matcher. Raises QuerySyntaxError."""
    found = _MATCHER.fullmatch(text)
    if found is None:
        raise QuerySyntaxError(f"bad matcher format: {text}")
    name, operator, raw = found.groups()
    return Matcher(name, MatchOperator(operator), _value(raw))


def parse_classic_list(text: str) -> tuple[Matcher, ...]:
    """Matchers, in braces or not. Raises QuerySyntaxError."""
    inner = text.removeprefix("{").removesuffix("}")
    pieces = _split(inner)
    if pieces and not pieces[-1].strip():
        pieces.pop()  # nothing at all, or a comma at the end
    return tuple(parse_classic(piece) for piece in pieces)


def _value(raw: str) -> str:
    """The value without its quotes and escapes; a backslash before any other letter stands for itself."""
    is_quoted = raw.startswith('"')
    body = raw[1:] if is_quoted else raw
    made: list[str] = []
    at = 0
    while at < len(body):
        letter = body[at]
        if letter == "\\" and at + 1 < len(body):
            at += 1
            made.append(_ESCAPES.get(body[at], "\\" + body[at]))
        elif letter == '"':
            if not is_quoted or at != len(body) - 1:
                raise QuerySyntaxError(f"matcher value contains unescaped double quote: {raw}")
            return "".join(made)
        else:
            made.append(letter)
        at += 1
    if is_quoted:
        raise QuerySyntaxError(f"matcher value contains unescaped double quote: {raw}")
    return "".join(made)


def _split(text: str) -> list[str]:
    """The pieces between commas that stand outside quotes."""
    pieces, begin = [], 0
    is_quoted = is_escaped = False
    for at, letter in enumerate(text):
        if is_escaped:
            is_escaped = False
        elif letter == "\\":
            is_escaped = True
        elif letter == '"':
            is_quoted = not is_quoted
        elif letter == "," and not is_quoted:
            pieces.append(text[begin:at])
            begin = at + 1
    return [*pieces, text[begin:]]
