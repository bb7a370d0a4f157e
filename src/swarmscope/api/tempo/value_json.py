"""Typed values of query results as OTLP's AnyValue in JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from swarmscope.api.tempo.trace_json import double_json
from swarmscope.query.traceql.answers import Label
from swarmscope.query.traceql.values import Tag, TypedValue

_NS_PER_S = 1_000_000_000
_NS_PER_MINUTE = 60 * _NS_PER_S


def labels_json(labels: Iterable[Label]) -> list[dict[str, Any]]:
    """Fields or labels in their order."""
    return [{"key": key, "value": typed_json(value)} for key, value in labels]


def typed_json(value: TypedValue) -> dict[str, Any]:
    """One value; what OTLP has no type for is spelled out."""
    match value.tag:
        case Tag.INTEGER:
            return {"intValue": str(value.value)}
        case Tag.FLOAT:
            return {"doubleValue": double_json(float(value.value or 0.0))}
        case Tag.BOOLEAN:
            return {"boolValue": bool(value.value)}
        case _:
            return {"stringValue": spelled(value)}


def spelled(value: TypedValue) -> str:
    """The value as a text."""
    return go_duration(int(value.value or 0)) if value.tag is Tag.DURATION else str(value)


def go_duration(duration_ns: int) -> str:
    """A duration as Go spells it, as `1h2m3.5s`, `1.5ms`: https://pkg.go.dev/time#Duration.String."""
    sign, rest = ("-", -duration_ns) if duration_ns < 0 else ("", duration_ns)
    for unit, size in (("ns", 1), ("µs", 1_000), ("ms", 1_000_000)):
        if 0 < rest < 1000 * size:
            return f"{sign}{_decimal(rest, size)}{unit}"
    minutes, rest = divmod(rest, _NS_PER_MINUTE)
    hours, minutes = divmod(minutes, 60)
    longer = f"{hours}h{minutes}m" if hours else f"{minutes}m" if minutes else ""
    return f"{sign}{longer}{_decimal(rest, _NS_PER_S)}s"


def _decimal(number: int, size: int) -> str:
    """number / size without needless digits; size is a power of ten."""
    whole, rest = divmod(number, size)
    fraction = str(rest).rjust(len(str(size)) - 1, "0").rstrip("0") if rest else ""
    return f"{whole}.{fraction}" if fraction else str(whole)
