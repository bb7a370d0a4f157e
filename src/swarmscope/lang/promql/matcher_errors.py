"""The first token in the braces of a selector that cannot stand there, in Prometheus' words."""

from __future__ import annotations

from collections.abc import Sequence

from swarmscope.lang.promql.tokens import Token

_OPERATORS = frozenset({"=", "!=", "=~", "!~"})
_EXPECTED = {
    "name": 'identifier or "}"',
    "operator": "label matching operator",
    "value": "string",
    "end": '"," or "}"',
}


def first_bad_matcher(tokens: Sequence[Token]) -> tuple[int, str] | None:
    """(offset, message) of the first misplaced token between braces, None if every selector reads well."""
    awaited = ""
    for token in tokens:
        if not awaited:
            awaited = "name" if token.text == "{" and token.kind == "op" else ""
            continue
        following = _next(awaited, token)
        if following is None:
            return _refuse(token, awaited)
        awaited = following
    return None


def _next(awaited: str, token: Token) -> str | None:
    """What is awaited after the token, "" behind the closing brace, None if the token is out of place.

    A name in quotes may stand alone: it is the metric's.
    """
    if token.text == "}" and token.kind == "op":
        return "" if awaited in ("name", "end", "quoted") else None
    match awaited:
        case "name":
            return {"name": "operator", "string": "quoted"}.get(token.kind)
        case "operator" | "quoted":
            if token.text in _OPERATORS:
                return "value"
            return "name" if awaited == "quoted" and token.text == "," else None
        case "value":
            return "end" if token.kind == "string" else None
        case _:
            return "name" if token.text == "," else None


def _refuse(token: Token, awaited: str) -> tuple[int, str]:
    # Prometheus' scanner reads "==" as two tokens here.
    if awaited == "operator" and token.text == "==":
        return token.start + 1, f'unexpected "=" in label matching, expected {_EXPECTED["value"]}'
    if token.kind in ("number", "other"):
        return token.start, f"unexpected character inside braces: '{token.text[0]}'"
    kind = {"name": "identifier ", "string": "string "}.get(token.kind, "")
    shown = token.text.replace('"', '\\"') if token.kind == "string" else token.text
    expected = _EXPECTED["end" if awaited == "quoted" else awaited]
    return token.start, f'unexpected {kind}"{shown}" in label matching, expected {expected}'
