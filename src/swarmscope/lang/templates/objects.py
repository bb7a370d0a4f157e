"""Values with methods, and records whose fields are fixed: what Go's structs and named types are to a template.

Source: https://pkg.go.dev/text/template#hdr-Arguments
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

from swarmscope.lang.templates.errors import TemplateFailedError
from swarmscope.lang.templates.functions import TemplateFunction
from swarmscope.lang.templates.go_durations import DURATION_METHODS, Duration
from swarmscope.lang.templates.go_format import text_of
from swarmscope.lang.templates.moment_methods import MOMENT_METHODS
from swarmscope.lang.templates.moments import Moment


class WithMethods(ABC):
    """A value that templates may call methods of: `.Labels.SortedPairs`."""

    @abstractmethod
    def template_methods(self) -> Mapping[str, TemplateFunction]:
        """Methods by name; each takes the value itself first."""


class Record(dict[str, object]):
    """A struct: a field that it does not have is an error and not just no value."""


class SafeText(str):
    """Text that is markup already, so it is not escaped again."""

    __slots__ = ()


def method_of(value: object, name: str) -> TemplateFunction | None:
    """The method of this name, or None. It takes the value itself first."""
    match value:
        case WithMethods():
            return value.template_methods().get(name)
        case Moment():
            return MOMENT_METHODS.get(name)
        case Duration():
            return DURATION_METHODS.get(name)
    return None


def printed_text(value: object) -> str:
    """A value as an action prints it: by its own method `String`, where it has one."""
    method = value.template_methods().get("String") if isinstance(value, WithMethods) else None
    return text_of(value if method is None else method("String", [value]))


def call_method(value: object, name: str, method: TemplateFunction, arguments: list[object]) -> object:
    """What the method gives. Raises TemplateFailedError."""
    try:
        return method(name, [value, *arguments])
    except TemplateFailedError as error:
        raise TemplateFailedError(f"error calling {name}: {error}") from None
