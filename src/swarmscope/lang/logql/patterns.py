"""The pattern expressions of `| pattern` and of `|>` and `!>`: captures between literals.

https://grafana.com/docs/loki/latest/query/log_queries/#pattern
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

_CAPTURE = re.compile(r"<([A-Za-z_][A-Za-z0-9_]*)>")
UNNAMED = "_"


@dataclass(frozen=True, slots=True)
class Capture:
    """`<name>`; the name `_` takes text and keeps none."""

    name: str

    @property
    def named(self) -> bool:
        """Whether the text becomes a label."""
        return self.name != UNNAMED


@dataclass(frozen=True, slots=True)
class Literal:
    """Text that must stand there."""

    text: str


PatternPart: TypeAlias = Capture | Literal


def parse_pattern(text: str) -> tuple[PatternPart, ...]:
    """The parts of a pattern, literals and captures in turn. Raises ValueError where two captures touch."""
    parts: list[PatternPart] = []
    end = 0
    for match in _CAPTURE.finditer(text):
        if match.start() > end:
            parts.append(Literal(text[end : match.start()]))
        elif parts and isinstance(parts[-1], Capture):
            raise ValueError(f"found consecutive capture '<{parts[-1].name}>': literals must stand between captures")
        parts.append(Capture(match[1]))
        end = match.end()
    if end < len(text):
        parts.append(Literal(text[end:]))
    return tuple(parts)


def parse_label_pattern(text: str) -> tuple[PatternPart, ...]:
    """The pattern of the `pattern` stage. Raises ValueError where nothing is captured or a name stands twice."""
    parts = parse_pattern(text)
    names = [part.name for part in parts if isinstance(part, Capture) and part.named]
    if not names:
        raise ValueError("at least one capture is required")
    for position, name in enumerate(names):
        if name in names[:position]:
            raise ValueError(f"duplicate capture name ({name})")
    return parts


def parse_line_pattern(text: str) -> tuple[PatternPart, ...]:
    """The pattern of a line filter. Raises ValueError where a capture has a name."""
    parts = parse_pattern(text)
    for part in parts:
        if isinstance(part, Capture) and part.named:
            raise ValueError(f"named captures are not allowed in a line filter: <{part.name}>")
    return parts
