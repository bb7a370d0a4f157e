"""How a function is told to templates: what it is called, what it takes, and the call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from swarmscope.lang.templates.errors import TemplateFailedError
from swarmscope.lang.templates.moments import Moment


class Kind(StrEnum):
    """What an argument must be; the value is Go's name of the type."""

    ANY = "interface {}"
    TEXT = "string"
    INTEGER = "int"
    FLOAT = "float64"
    TIME = "time.Time"


@dataclass(frozen=True, slots=True)
class TemplateFunction:
    """A function of a template. `rest` is the kind of any further arguments, None where there are none."""

    call: Callable[..., object]
    kinds: tuple[Kind, ...] = ()
    rest: Kind | None = None

    def __call__(self, name: str, arguments: list[object]) -> object:
        """The outcome. Raises TemplateFailedError where the arguments do not fit."""
        wanted, given = len(self.kinds), len(arguments)
        if given < wanted or (given > wanted and self.rest is None):
            least = "at least " if self.rest is not None else ""
            raise TemplateFailedError(f"wrong number of args for {name}: want {least}{wanted} got {given}")
        fitted = [
            _fitted(name, self.kinds[i] if i < wanted else self.rest or Kind.ANY, value)
            for i, value in enumerate(arguments)
        ]
        return self.call(*fitted)


Functions: TypeAlias = Mapping[str, TemplateFunction]


def type_name(value: object) -> str:
    """Go's name of a value's type."""
    match value:
        case None:
            return "<nil>"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float64"
        case str():
            return "string"
        case list() | tuple():
            return "[]interface {}"
        case Moment():
            return "time.Time"
        case _:
            return "map[string]interface {}"


def _fitted(name: str, kind: Kind, value: object) -> object:
    match kind:
        case Kind.ANY:
            return value
        case Kind.TEXT if isinstance(value, str):
            return value
        case Kind.INTEGER if isinstance(value, int) and not isinstance(value, bool):
            return value
        case Kind.INTEGER if isinstance(value, float) and value.is_integer():
            return int(value)
        case Kind.FLOAT if isinstance(value, int | float) and not isinstance(value, bool):
            return float(value)
        case Kind.TIME if isinstance(value, Moment):
            return value
    raise TemplateFailedError(f"wrong type for value of {name}; expected {kind}; got {type_name(value)}")
