"""Bounds on a query's text, checked before the library sees it: the library recurses, and its stack has an end.

A text that nests without bound would end the whole process, not just the query.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from swarmscope.lang.promql.tokens import Token
from swarmscope.model.errors import QuerySyntaxError

MAX_QUERY_LENGTH = 1 << 20  # characters
MAX_NESTING = 200  # opening brackets deep; far above any query a person writes, far below the stack
# Operators on the way from the root to a leaf: `a + b + c` is a tree as high as it has operators. The library's time
# grows with the square of it.
MAX_HEIGHT = 400

_SIGNS = frozenset(("+", "-", "*", "/", "%", "^", "==", "!=", "<=", "<", ">=", ">", "="))
_WORDS = frozenset(("and", "or", "unless", "atan2", "offset", "bool"))


def refuse_long(text: str) -> None:
    """Raise QuerySyntaxError where the text is too long."""
    if len(text) > MAX_QUERY_LENGTH:
        raise QuerySyntaxError(f"query is longer than {MAX_QUERY_LENGTH} characters", MAX_QUERY_LENGTH)


@dataclass(slots=True)
class _Level:
    """One open bracket, or the text outside of all: operators of the argument being read, and heights."""

    operators: int = 0
    below: int = 0  # the highest operand of this argument
    highest: int = 0  # the highest argument so far

    @property
    def height(self) -> int:
        return max(self.highest, self.operators + self.below)


def refuse_deep(tokens: Sequence[Token]) -> None:
    """Raise QuerySyntaxError where the tree of these tokens could be too high."""
    levels = [_Level()]
    for token in tokens:
        text, level = token.text, levels[-1]
        if token.kind == "range" or text in _SIGNS or (token.kind == "name" and text.lower() in _WORDS):
            level.operators += 1
        elif text in ("(", "{", "["):
            levels.append(_Level())
        elif text in (")", "}", "]"):
            levels.pop()
            if not levels:
                return  # More closed than opened: the library refuses it there.
            levels[-1].below = max(levels[-1].below, level.height + 1)
        elif text == ",":
            levels[-1] = _Level(highest=level.height)
        if len(levels) - 1 > MAX_NESTING:
            raise QuerySyntaxError(f"query is nested deeper than {MAX_NESTING} levels", token.start)
        if levels[-1].height > MAX_HEIGHT:
            raise QuerySyntaxError(f"query has more than {MAX_HEIGHT} operators inside one another", token.start)
