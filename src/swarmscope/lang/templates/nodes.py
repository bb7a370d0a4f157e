"""The tree of a template: inert nodes. Source of the language: https://pkg.go.dev/text/template"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Text:
    """Text that is printed as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant. `text` is how it was written: `1.0` is a float, `1` an integer. None is nil."""

    value: str | int | float | bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Dot:
    """`.`"""


@dataclass(frozen=True, slots=True)
class Field:
    """`.a.b`: fields of dot."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """`$x.a`: a variable and its fields; the name has the dollar sign."""

    name: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Chain:
    """`(pipeline).a.b`."""

    pipeline: Pipeline
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Function:
    """A function's name; a call where it stands first in a command or alone as an argument."""

    name: str


Operand: TypeAlias = "Literal | Dot | Field | Variable | Chain | Function | Pipeline"


@dataclass(frozen=True, slots=True)
class Command:
    """A value, or a call with arguments."""

    operands: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands of which each is the last argument of the next. `variables` get the outcome."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    assigns: bool = False  # `=` to a variable that is there, not `:=`


@dataclass(frozen=True, slots=True)
class Action:
    """`{{pipeline}}`."""

    pipeline: Pipeline
    line: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class If:
    """`{{if}} … {{else}} … {{end}}`; `else if` is an If alone in `otherwise`."""

    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class With:
    """`{{with}}`: as If, and dot is the value."""

    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Range:
    """`{{range}}`: dot is each element in turn."""

    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Invocation:
    """`{{template "name" pipeline}}`, and what remains in place of `{{block}}`."""

    name: str
    pipeline: Pipeline | None = None


@dataclass(frozen=True, slots=True)
class Break:
    """`{{break}}`."""


@dataclass(frozen=True, slots=True)
class Continue:
    """`{{continue}}`."""


Node: TypeAlias = Text | Action | If | With | Range | Invocation | Break | Continue


@dataclass(frozen=True, slots=True)
class Template:
    """A template and the templates that it defines."""

    nodes: tuple[Node, ...]
    definitions: tuple[tuple[str, tuple[Node, ...]], ...] = ()
