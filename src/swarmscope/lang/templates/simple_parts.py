"""Templates that only put text and fields one behind the other: those can be made on whole columns."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TypeAlias

from swarmscope.lang.templates.nodes import Action, Field, Function, Literal, Pipeline, Template, Text


@dataclass(frozen=True, slots=True)
class TextPart:
    """Fixed text."""

    text: str


@dataclass(frozen=True, slots=True)
class FieldPart:
    """The field of this name of the data."""

    name: str


@dataclass(frozen=True, slots=True)
class CallPart:
    """What the function of this name gives, called without arguments."""

    function: str


SimplePart: TypeAlias = TextPart | FieldPart | CallPart


def simple_parts(template: Template, functions: Collection[str] = ()) -> tuple[SimplePart, ...] | None:
    """The parts of which the output is made, or None where the template does more than that.

    `functions` are those that may be called, without arguments.
    """
    parts: list[SimplePart] = []
    for node in template.nodes:
        part: SimplePart | None = None
        if isinstance(node, Text):
            part = TextPart(node.text)
        elif isinstance(node, Action):
            part = _pipeline_part(node.pipeline)
        if part is None or (isinstance(part, CallPart) and part.function not in functions):
            return None
        if isinstance(part, TextPart) and parts and isinstance(parts[-1], TextPart):
            part = TextPart(parts.pop().text + part.text)  # type: ignore[union-attr]
        parts.append(part)
    return tuple(parts)


def _pipeline_part(pipeline: Pipeline) -> SimplePart | None:
    if pipeline.variables or len(pipeline.commands) != 1 or len(pipeline.commands[0].operands) != 1:
        return None
    match pipeline.commands[0].operands[0]:
        case Field(names=(name,)):
            return FieldPart(name)
        case Literal(value=str() as text):
            return TextPart(text)
        case Function(name=name):
            return CallPart(name)
        case Pipeline() as inner:
            return _pipeline_part(inner)
        case _:
            return None
