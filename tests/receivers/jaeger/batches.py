"""Jaeger's structs, as fields for the Thrift writer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.receivers.jaeger.thrift_writer import BOOL, DOUBLE, I32, I64, LIST, STRING, STRUCT, Field

Struct = list[Field]
Write = Callable[[Struct], bytes]

T_US = 1_700_000_000_000_000
T_NS = T_US * 1000


def tag(key: str | bytes, value: Any) -> Struct:
    """A Tag of the type that the value has."""
    name = Field(1, STRING, key if isinstance(key, bytes) else key.encode())
    if isinstance(value, bool):
        return [name, Field(2, I32, 2), Field(5, BOOL, value)]
    if isinstance(value, int):
        return [name, Field(2, I32, 3), Field(6, I64, value)]
    if isinstance(value, float):
        return [name, Field(2, I32, 1), Field(4, DOUBLE, value)]
    if isinstance(value, bytes):
        return [name, Field(2, I32, 4), Field(7, STRING, value)]
    return [name, Field(2, I32, 0), Field(3, STRING, value.encode())]


def structs(number: int, items: list[Struct]) -> Field:
    return Field(number, LIST, (STRUCT, items))


def log(timestamp_us: int, fields: dict[str, Any]) -> Struct:
    return [Field(1, I64, timestamp_us), structs(2, [tag(*pair) for pair in fields.items()])]


def reference(ref_type: int, trace: tuple[int, int], span: int) -> Struct:
    """A SpanRef; `trace` is high and low."""
    return [Field(1, I32, ref_type), Field(2, I64, trace[1]), Field(3, I64, trace[0]), Field(4, I64, span)]


def span(
    trace: tuple[int, int] = (0, 7), number: int = 1, parent: int = 0, name: str | bytes = "work", *,
    references: list[Struct] | None = None, flags: int = 1, start_us: int = T_US, duration_us: int = 5,
    tags: dict[str, Any] | list[Struct] | None = None, logs: list[Struct] | None = None,
) -> Struct:  # fmt: skip
    tags = tags or {}
    pairs = tags if isinstance(tags, list) else [tag(*pair) for pair in tags.items()]
    fields = [
        Field(1, I64, trace[1]), Field(2, I64, trace[0]), Field(3, I64, number), Field(4, I64, parent),
        Field(5, STRING, name if isinstance(name, bytes) else name.encode()),
    ]  # fmt: skip
    if references is not None:
        fields.append(structs(6, references))
    fields += [Field(7, I32, flags), Field(8, I64, start_us), Field(9, I64, duration_us), structs(10, pairs)]
    return fields if logs is None else [*fields, structs(11, logs)]


def batch(spans: list[Struct], service: str = "shop", tags: dict[str, Any] | None = None) -> Struct:
    process = [Field(1, STRING, service.encode())]
    if tags is not None:
        process.append(structs(2, [tag(*pair) for pair in tags.items()]))
    return [Field(1, STRUCT, process), structs(2, spans)]
