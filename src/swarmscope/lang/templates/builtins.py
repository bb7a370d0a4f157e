"""The functions that every Go template has. Source: https://pkg.go.dev/text/template#hdr-Functions

`and` and `or` are here for their names alone: the run evaluates their arguments one by one.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import quote_plus

from swarmscope.lang.templates.errors import TemplateFailedError
from swarmscope.lang.templates.functions import Kind, TemplateFunction, type_name
from swarmscope.lang.templates.go_format import sprint, sprintf, text_of
from swarmscope.lang.templates.moments import Moment

_JS = {"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E", "&": "\\u0026", "=": "\\u003D"}
_HTML = {"&#x27;": "&#39;", "&quot;": "&#34;"}


def truth(value: object) -> bool:
    """Whether `if` takes a value: not false, 0, nil, nor empty."""
    return isinstance(value, Moment) or bool(value)


def _and(*values: object) -> object:
    return next((value for value in values if not truth(value)), values[-1])


def _or(*values: object) -> object:
    return next((value for value in values if truth(value)), values[-1])


def _kind(value: object) -> str:
    return "map" if isinstance(value, Mapping) else type_name(value)


def _equal(left: object, right: object) -> bool:
    if left is None or right is None:
        return left is right
    if _kind(left) != _kind(right):
        raise TemplateFailedError("incompatible types for comparison")
    if isinstance(left, Mapping | list):
        raise TemplateFailedError(f"non-comparable type {text_of(left)}: {type_name(left)}")
    return left == right


def _eq(first: object, *others: object) -> bool:
    if not others:
        raise TemplateFailedError("missing argument for comparison")
    return any(_equal(first, other) for other in others)


def _less(left: object, right: object) -> bool:
    if not isinstance(left, int | float | str) or isinstance(left, bool):
        raise TemplateFailedError("invalid type for comparison")
    if _kind(left) != _kind(right):
        raise TemplateFailedError("incompatible types for comparison")
    return left < right  # type: ignore[operator]


def _position(value: object, size: int, limit: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TemplateFailedError(f"cannot index slice/array with type {type_name(value)}")
    if not 0 <= value < limit:
        raise TemplateFailedError(f"index out of range: {value}")
    return value


def _index(value: object, *keys: object) -> object:
    for key in keys:
        if isinstance(value, Mapping):
            if not isinstance(key, str):
                raise TemplateFailedError(f"value has type {type_name(key)}; should be string")
            value = value.get(key)
        elif isinstance(value, list | tuple):
            value = value[_position(key, len(value), len(value))]
        elif isinstance(value, str):
            raw = value.encode("utf-8", "surrogateescape")
            value = raw[_position(key, len(raw), len(raw))]
        elif value is None:
            raise TemplateFailedError("index of untyped nil")
        else:
            raise TemplateFailedError(f"can't index item of type {type_name(value)}")
    return value


def _slice(value: object, *bounds: object) -> object:
    if len(bounds) > 3 or not isinstance(value, str | list | tuple):
        raise TemplateFailedError(f"can't slice item of type {type_name(value)}")
    sequence = value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
    size = len(sequence)
    numbers = [_position(bound, size, size + 1) for bound in bounds]
    start, end = (numbers[0] if numbers else 0), (numbers[1] if len(numbers) > 1 else size)
    if start > end:
        raise TemplateFailedError(f"invalid slice index: {start} > {end}")
    part = sequence[start:end]
    return part.decode("utf-8", "surrogateescape") if isinstance(part, bytes) else part


def _len(value: object) -> int:
    if isinstance(value, str):
        return len(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, Mapping | list | tuple):
        return len(value)
    raise TemplateFailedError(f"len of {'nil pointer' if value is None else 'type ' + type_name(value)}")


def _html(*values: object) -> str:
    text = html.escape(sprint(values))
    for spelled, go in _HTML.items():
        text = text.replace(spelled, go)
    return text.replace("\0", "\ufffd")


def _js(*values: object) -> str:
    return "".join(_JS.get(c, c if c.isprintable() else f"\\u{ord(c):04X}") for c in sprint(values))


def _call(function: object, *arguments: object) -> object:
    raise TemplateFailedError(f"non-function of type {type_name(function)}")


BUILTINS = MappingProxyType({
    "and": TemplateFunction(_and, (Kind.ANY,), Kind.ANY),
    "or": TemplateFunction(_or, (Kind.ANY,), Kind.ANY),
    "not": TemplateFunction(lambda value: not truth(value), (Kind.ANY,)),
    "eq": TemplateFunction(_eq, (Kind.ANY,), Kind.ANY),
    "ne": TemplateFunction(lambda a, b: not _equal(a, b), (Kind.ANY, Kind.ANY)),
    "lt": TemplateFunction(_less, (Kind.ANY, Kind.ANY)),
    "le": TemplateFunction(lambda a, b: _less(a, b) or a == b, (Kind.ANY, Kind.ANY)),
    "gt": TemplateFunction(lambda a, b: _less(b, a) if type(a) is type(b) else _less(a, b), (Kind.ANY, Kind.ANY)),
    "ge": TemplateFunction(lambda a, b: not _less(a, b), (Kind.ANY, Kind.ANY)),
    "index": TemplateFunction(_index, (Kind.ANY,), Kind.ANY),
    "slice": TemplateFunction(_slice, (Kind.ANY,), Kind.ANY),
    "len": TemplateFunction(_len, (Kind.ANY,)),
    "print": TemplateFunction(lambda *values: sprint(values), (), Kind.ANY),
    "println": TemplateFunction(lambda *values: " ".join(map(text_of, values)) + "\n", (), Kind.ANY),
    "printf": TemplateFunction(lambda layout, *values: sprintf(layout, values), (Kind.TEXT,), Kind.ANY),
    "html": TemplateFunction(_html, (), Kind.ANY),
    "js": TemplateFunction(_js, (), Kind.ANY),
    "urlquery": TemplateFunction(lambda *values: quote_plus(sprint(values), errors="surrogateescape"), (), Kind.ANY),
    "call": TemplateFunction(_call, (Kind.ANY,), Kind.ANY),
})  # fmt: skip
