"""A template's text in tokens: text between actions, and what stands in an action."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from swarmscope.model.errors import QuerySyntaxError

_OPEN = re.compile(r"\{\{(-(?=[ \t\r\n]))?")
_COMMENT = re.compile(r"\{\{(?:-[ \t\r\n]+)?/\*.*?\*/(?:[ \t\r\n]+-)?\}\}", re.DOTALL)
_SPACES = " \t\r\n"
_TOKEN = re.compile(
    r"""
    (?P<close>[ \t\r\n]+-\}\}|\}\})
  | (?P<space>[ \t\r\n]+)
  | (?P<string>"(?:[^"\\\n]|\\.)*"|`[^`]*`)
  | (?P<char>'(?:[^'\\\n]|\\(?:[abfnrtv\\'"]|[xuU][0-9a-fA-F]+|[0-7]{3}))')
  | (?P<number>[+-]?(?:0[xX][0-9a-fA-F_]+|0[bBoO][0-7_]+
      |(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][+-]?[0-9]+)?))(?![A-Za-z0-9_])
  | (?P<variable>\$\w*)
  | (?P<field>\.[^\W\d]\w*)
  | (?P<dot>\.)
  | (?P<declare>:=)
  | (?P<sign>[=(),|])
  | (?P<word>[^\W\d]\w*)
    """,
    re.VERBOSE,
)


class Token(NamedTuple):
    """A piece of the template. `kind`: text, open, end (of all), or a group of the pattern above."""

    kind: str
    text: str
    position: int


def tokens_of(template: str) -> Iterator[Token]:
    """The tokens, with trim markers and comments done. Raises QuerySyntaxError where an action is malformed."""
    at, trim_left = 0, False
    while True:
        opening = _OPEN.search(template, at)
        text = template[at:] if opening is None else template[at : opening.start()]
        if trim_left:
            text = text.lstrip(_SPACES)
        if opening is not None and opening[1]:
            text = text.rstrip(_SPACES)
        if text:
            yield Token("text", text, at)
        if opening is None:
            yield Token("end", "", len(template))
            return
        comment = _comment_at(template, opening)
        if comment is not None:
            at, trim_left = comment.end(), comment[0].endswith("-}}")
            continue
        yield Token("open", opening[0], opening.start())
        at = opening.end()
        while True:
            token = _action_token(template, at)
            at += len(token.text)
            yield token
            if token.kind == "close":
                trim_left = token.text.endswith("-}}")
                break


def _comment_at(template: str, opening: re.Match[str]) -> re.Match[str] | None:
    inside = template[opening.end() :].lstrip(_SPACES) if opening[1] else template[opening.end() : opening.end() + 2]
    if not inside.startswith("/*"):
        return None
    comment = _COMMENT.match(template, opening.start())
    if comment is None:
        raise QuerySyntaxError("unclosed comment", opening.start())
    return comment


def _action_token(template: str, at: int) -> Token:
    match = _TOKEN.match(template, at)
    if match is None:
        if at >= len(template):
            raise QuerySyntaxError("unclosed action", at)
        character = template[at]
        if character in "\"`'":
            raise QuerySyntaxError("unterminated quoted string", at)
        raise QuerySyntaxError(f"unexpected {character!r} in a template's action", at)
    kind = match.lastgroup or ""
    return Token(kind, match[0], at)
