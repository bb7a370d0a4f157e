"""The tokens of a PromQL text with their places; the library's tree has none."""

from __future__ import annotations

import re
from typing import NamedTuple

# A range such as `[5m:1m]` is one token: a colon in it would else read as part of a name.
_TOKEN = re.compile(
    r"""(?P<skip>\s+|\#[^\n]*)
      |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
      |(?P<number>0[xX][0-9a-fA-F_]+|(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?:[a-zA-Z0-9_]*))
      |(?P<name>[A-Za-z_:][A-Za-z0-9_:]*)
      |(?P<range>\[[^\]]*\])
      |(?P<op>=~|!~|!=|==|>=|<=|[-+*/%^@<>=(){},:\[\]])
      |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """One token: `kind` is string, number, name, range, op or other; text[start:end] is what it says."""

    kind: str
    text: str
    start: int
    end: int


def scan_tokens(text: str) -> list[Token]:
    """All tokens of a query but blanks and comments. Never fails: what it does not know is "other"."""
    found = []
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or "other"
        if kind != "skip":
            found.append(Token(kind, match.group(), match.start(), match.end()))
    return found


class Cursor:
    """Walks the tokens beside the library's tree. Once they disagree it is lost, and places are unknown."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self.lost = False

    def peek(self) -> Token | None:
        """The token ahead, None at the end."""
        if self.lost or self._next >= len(self._tokens):
            return None
        return self._tokens[self._next]

    def peek_text(self) -> str:
        """The lower-case text ahead, "" at the end."""
        token = self.peek()
        return token.text.lower() if token is not None else ""

    def take(self, *expected: str) -> Token | None:
        """Pass one token; if texts are given it must be one of them, in any case, or the cursor is lost."""
        token = self.peek()
        if token is None or (expected and token.text.lower() not in expected):
            self.lost = True
            return None
        self._next += 1
        return token

    def take_kind(self, kind: str) -> Token | None:
        """Pass one token of the given kind, or be lost."""
        token = self.peek()
        if token is None or token.kind != kind:
            self.lost = True
            return None
        self._next += 1
        return token

    def skip_if(self, *texts: str) -> bool:
        """Pass one token if it is one of `texts`."""
        if self.peek_text() in texts:
            self._next += 1
            return True
        return False

    def skip_group(self, opening: str, closing: str) -> None:
        """Pass everything from an opening bracket to the one that closes it."""
        if self.take(opening) is None:
            return
        depth = 1
        while depth and not self.lost:
            token = self.take()
            if token is not None and token.kind == "op":
                depth += (token.text == opening) - (token.text == closing)

    @property
    def start(self) -> int:
        """Where the token ahead begins, -1 if that is unknown."""
        token = self.peek()
        return token.start if token is not None else -1

    @property
    def end(self) -> int:
        """Where the last passed token ended, -1 if that is unknown."""
        return self._tokens[self._next - 1].end if self._next and not self.lost else -1


def line_column(text: str, offset: int) -> str:
    """An offset in characters as Prometheus' `line:column`, both from 1, columns in bytes."""
    before = text[:offset]
    in_line = before[before.rfind("\n") + 1 :]
    return f"{before.count(chr(10)) + 1}:{len(in_line.encode()) + 1}"
