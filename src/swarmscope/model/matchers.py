"""Label matchers: `name = value`, `!=`, `=~`, `!~`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class MatchOperator(StrEnum):
    """How a matcher compares; the value is its spelling in PromQL and LogQL."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label. A missing label has the value "". Regexes are RE2 and match the whole value."""

    name: str
    operator: MatchOperator
    value: str

    def __str__(self) -> str:
        escaped = self.value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return f'{self.name}{self.operator}"{escaped}"'
