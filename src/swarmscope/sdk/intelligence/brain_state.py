"""The shape of a brain state, and checking against it.

The checks are those parts of JSON Schema (https://json-schema.org/draft/2020-12/json-schema-validation) that the
shipped schema uses; a schema that uses another is refused, never half understood.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from typing import Any

BrainState = Mapping[str, Any]
BRAIN_STATE_SCHEMA: dict[str, Any] = json.loads(
    files("swarmscope.sdk.intelligence").joinpath("brain_state.schema.json").read_text(encoding="utf-8")
)
_MAX_ERRORS_TOLD = 5
_ANNOTATIONS = frozenset({"$schema", "$defs", "title", "description"})


class BrainStateError(ValueError):
    """A brain state that cannot be read, or does not have the shape of `BRAIN_STATE_SCHEMA`."""


def check_brain_state(state: object) -> BrainState:
    """The state, if it has its shape. Raises BrainStateError that names each place and what is expected there."""
    errors = list(_errors(state, BRAIN_STATE_SCHEMA, "the brain state"))
    if not errors and isinstance(state, Mapping):
        errors = list(_matrix_errors(state))
    if errors or not isinstance(state, Mapping):
        more = f" (and {len(errors) - _MAX_ERRORS_TOLD} more)" if len(errors) > _MAX_ERRORS_TOLD else ""
        raise BrainStateError("; ".join(errors[:_MAX_ERRORS_TOLD]) + more)
    return state


def _matrix_errors(state: Mapping[str, Any]) -> Iterator[str]:
    """What JSON Schema cannot say: the matrix is square, and its units are as many."""
    given = state.get("neural_connectivity")
    if given is None:
        return
    weights = given["weights"] if isinstance(given, Mapping) else given
    n = len(weights)
    for row, values in enumerate(weights):
        if len(values) != n:
            yield f"neural_connectivity has {n} rows, but {len(values)} values in row {row}"
    units = given.get("units") if isinstance(given, Mapping) else None
    if units is not None and len(units) != n:
        yield f"neural_connectivity has {n} rows, but {len(units)} units"


def _errors(value: object, schema: Mapping[str, Any], place: str) -> Iterator[str]:
    """What is wrong with `value`, in words."""
    if "$ref" in schema:
        yield from _errors(value, BRAIN_STATE_SCHEMA["$defs"][schema["$ref"].removeprefix("#/$defs/")], place)
        return
    expected = schema.get("type")
    if expected is not None and not _TYPES[expected](value):
        yield f"{place} is {_named(value)}, expected is {_TYPE_WORDS[expected]}"
        return
    for keyword, told in schema.items():
        if keyword in _KEYWORDS:
            yield from _KEYWORDS[keyword](value, told, schema, place)
        elif keyword not in _ANNOTATIONS and keyword != "type":
            raise NotImplementedError(f"the schema's keyword {keyword}")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _is_array(value: object) -> bool:
    return isinstance(value, list | tuple)


_TYPES: dict[str, Callable[[object], bool]] = {
    "object": lambda value: isinstance(value, Mapping),
    "array": _is_array,
    "string": lambda value: isinstance(value, str),
    "number": _is_number,
    "integer": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "boolean": lambda value: isinstance(value, bool),
}
_TYPE_WORDS = {
    "object": "an object", "array": "an array", "string": "a text", "number": "a finite number",
    "integer": "a whole number", "boolean": "true or false",
}  # fmt: skip


def _named(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:37]}…"


def _check_properties(value: Any, told: Any, schema: Mapping[str, Any], place: str) -> Iterator[str]:
    for name, inner in told.items():
        if name in value:
            yield from _errors(value[name], inner, f"{name} of {place}")


def _check_required(value: Any, told: Any, schema: Mapping[str, Any], place: str) -> Iterator[str]:
    for name in told:
        if name not in value:
            yield f"{place} has no {name}"


def _check_additional(value: Any, told: Any, schema: Mapping[str, Any], place: str) -> Iterator[str]:
    known = schema.get("properties", {})
    for name in value:
        if name in known:
            continue
        if told is False:
            yield f"{place} has {name}, known are {', '.join(known)}"
        elif told is not True:
            yield from _errors(value[name], told, f"{name} of {place}")


def _check_items(value: Any, told: Any, schema: Mapping[str, Any], place: str) -> Iterator[str]:
    for at, item in enumerate(value):
        yield from _errors(item, told, f"item {at} of {place}")


def _check_any_of(value: Any, told: Any, schema: Mapping[str, Any], place: str) -> Iterator[str]:
    found = [list(_errors(value, each, place)) for each in told]
    if all(found):
        # The alternative whose type fits tells most; the others would only say that theirs does not.
        inner = [errors for errors in found if not errors[0].startswith(f"{place} is {_named(value)}, expected is")]
        yield from inner[0] if inner else [" or ".join(dict.fromkeys(errors[0] for errors in found))]


def _check_bound(words: str, is_met: Callable[[Any, Any], bool]) -> Callable[..., Iterator[str]]:
    def check(value: Any, told: Any, schema: Mapping[str, Any], place: str) -> Iterator[str]:
        if not is_met(value, told):
            yield f"{place} is {_named(value)}, {words} {told}"

    return check


_KEYWORDS: dict[str, Callable[..., Iterator[str]]] = {
    "properties": _check_properties,
    "required": _check_required,
    "additionalProperties": _check_additional,
    "items": _check_items,
    "anyOf": _check_any_of,
    "minimum": _check_bound("the least is", lambda value, least: value >= least),
    "maximum": _check_bound("the most is", lambda value, most: value <= most),
    "minLength": _check_bound("the least length is", lambda value, least: len(value) >= least),
    "minItems": _check_bound("the least number of items is", lambda value, least: len(value) >= least),
    "minProperties": _check_bound("the least number of properties is", lambda value, least: len(value) >= least),
}
