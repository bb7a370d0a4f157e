"""The newer form: names and values are any UTF-8, in double quotes where they hold a reserved letter.

The inside of quotes is Go's: https://go.dev/ref/spec#String_literals
"""

from __future__ import annotations

import re
from typing import NamedTuple

from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.matchers import Matcher, MatchOperator

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<operator>=~|!~|!=|=)
      | (?P<sign>[{},])
      | (?P<quoted>"(?:[^"\\\n]|\\.)*")
      | (?P<word>[^\s{}!=~,\\"'`]+)
    )""",
    re.VERBOSE,
)
_ESCAPE = re.compile(
    r"\\(?:(?P<plain>[abfnrtv\\\"])|x(?P<byte>[0-9a-fA-F]{2})|(?P<octal>[0-7]{3})"
    r"|u(?P<short>[0-9a-fA-F]{4})|U(?P<long>[0-9a-fA-F]{8})|(?P<bad>.?))",
    re.DOTALL,
)
_PLAIN = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}
_MAX_CODE_POINT, _SURROGATES, _MAX_BYTE = 0x10FFFF, range(0xD800, 0xE000), 0xFF


class _Token(NamedTuple):
    kind: str
    text: str
    position: int


def parse_quoted(text: str) -> Matcher:
    """One matcher. Raises QuerySyntaxError."""
    found = _tokens(text)
    if any(token.kind == "sign" for token in found):
        raise QuerySyntaxError(f"expected one matcher: {text}")
    matcher, rest = _matcher(found)
    if rest:
        raise _unexpected(rest, "the end")
    return matcher


def parse_quoted_list(text: str) -> tuple[Matcher, ...]:
    """Matchers, in braces or not; a comma may stand at the end. Raises QuerySyntaxError."""
    rest = _tokens(text)
    if is_braced := _begins(rest, "{"):
        if not (rest[-1].text == "}" and rest[-1].kind == "sign"):
            raise QuerySyntaxError("expected close brace", len(text))
        rest = rest[1:-1]
    found: list[Matcher] = []
    while rest:
        matcher, rest = _matcher(rest)
        found.append(matcher)
        if rest:
            if not _begins(rest, ","):
                raise _unexpected(rest, "a comma or close brace" if is_braced else "a comma")
            rest = rest[1:]
    return tuple(found)


def _tokens(text: str) -> list[_Token]:
    made, at = [], 0
    end = len(text.rstrip())
    while at < end:
        found = _TOKEN.match(text, at)
        if found is None:
            raise QuerySyntaxError(f"{at}: unexpected {text[at:].lstrip()[:1]}", at)
        kind = str(found.lastgroup)
        made.append(_Token(kind, found[kind], found.start(kind)))
        at = found.end()
    return made


def _matcher(tokens: list[_Token]) -> tuple[Matcher, list[_Token]]:
    name, rest = _word(tokens, "label name")
    if not rest or rest[0].kind != "operator":
        raise _unexpected(rest, "an operator such as '=', '!=', '=~' or '!~'")
    operator = MatchOperator(rest[0].text)
    value, rest = _word(rest[1:], "label value")
    if not name:
        raise QuerySyntaxError("a label name must not be empty")
    return Matcher(name, operator, value), rest


def _word(tokens: list[_Token], wanted: str) -> tuple[str, list[_Token]]:
    if not tokens or tokens[0].kind not in ("word", "quoted"):
        raise _unexpected(tokens, wanted)
    first = tokens[0]
    return (first.text if first.kind == "word" else unquote(first.text, first.position)), tokens[1:]


def unquote(text: str, position: int = 0) -> str:
    """What a string in double quotes means. Raises QuerySyntaxError: a bad escape, or bytes that are no UTF-8."""

    def meaning(found: re.Match[str]) -> bytes:
        if (plain := found["plain"]) is not None:
            return _PLAIN[plain].encode()
        if (digits := found["byte"] or found["octal"]) is not None:
            code = int(digits, 16 if found["byte"] else 8)
            if code <= _MAX_BYTE:
                return bytes([code])
        if (digits := found["short"] or found["long"]) is not None:
            code = int(digits, 16)
            if code <= _MAX_CODE_POINT and code not in _SURROGATES:
                return chr(code).encode()
        raise QuerySyntaxError(f"{position}: invalid escape {found[0]} in {text}", position)

    inner, made, at = text[1:-1], b"", 0
    for found in _ESCAPE.finditer(inner):
        made += inner[at : found.start()].encode() + meaning(found)
        at = found.end()
    try:
        return (made + inner[at:].encode()).decode()
    except UnicodeDecodeError:
        raise QuerySyntaxError(f"{position}: invalid UTF-8 in {text}", position) from None


def _begins(tokens: list[_Token], sign: str) -> bool:
    return bool(tokens) and tokens[0].kind == "sign" and tokens[0].text == sign


def _unexpected(tokens: list[_Token], wanted: str) -> QuerySyntaxError:
    if not tokens:
        return QuerySyntaxError(f"end of input: expected {wanted}")
    token = tokens[0]
    return QuerySyntaxError(f"{token.position}: unexpected {token.text}: expected {wanted}", token.position)
