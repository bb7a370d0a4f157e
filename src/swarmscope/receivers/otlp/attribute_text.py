"""Attribute values as label values.

Source: https://opentelemetry.io/docs/specs/otel/common/#mapping-arbitrary-data-to-otlp-anyvalue and the
collector's `Value.AsString`: strings as they are, bytes as Base64, lists and maps as JSON.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

_EXPONENT_BELOW, _EXPONENT_FROM = 1e-6, 1e21  # where ECMAScript's number format takes an exponent


def to_number_text(value: float) -> str:
    """A float as JSON has it: shortest digits, no ".0", exponents only for the very small and very large."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    magnitude = abs(value)
    if magnitude != 0 and (magnitude < _EXPONENT_BELOW or magnitude >= _EXPONENT_FROM):
        mantissa, _, exponent = repr(value).partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent):+d}"
    return to_plain_number_text(value)


def to_plain_number_text(value: float) -> str:
    """A float without exponent, shortest digits, as in `le` and `quantile`: 0.005, 5, 1000000, +Inf."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("+Inf" if value > 0 else "-Inf")
    text = repr(value)
    if "e" not in text:
        return text.removesuffix(".0")
    sign, digits = ("-", text[1:]) if text[0] == "-" else ("", text)
    mantissa, _, exponent = digits.partition("e")
    whole, _, fraction = mantissa.partition(".")
    point = len(whole) + int(exponent)
    both = whole + fraction.rstrip("0")
    if point <= 0:
        return f"{sign}0.{'0' * -point}{both}"
    return f"{sign}{both.ljust(point, '0')[:point]}" + (f".{both[point:]}" if len(both) > point else "")


def to_attribute_text(value: Any) -> str:
    """An `AnyValue` message as text; "" where it holds nothing."""
    which = value.WhichOneof("value")
    if which == "string_value":
        return str(value.string_value)
    if which == "int_value":
        return str(value.int_value)
    if which == "bool_value":
        return "true" if value.bool_value else "false"
    if which == "double_value":
        return to_number_text(value.double_value)
    if which == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return "" if which is None else _to_json(value, which)


def _to_json(value: Any, which: str | None) -> str:
    if which == "array_value":
        return f"[{','.join(_to_json(item, item.WhichOneof('value')) for item in value.array_value.values)}]"
    if which == "kvlist_value":
        pairs = {pair.key: pair.value for pair in value.kvlist_value.values}
        inside = (f"{_quote(key)}:{_to_json(item, item.WhichOneof('value'))}" for key, item in sorted(pairs.items()))
        return f"{{{','.join(inside)}}}"
    if which is None:
        return "null"
    text = to_attribute_text(value)
    quoted = which in ("string_value", "bytes_value") or (
        which == "double_value" and not math.isfinite(value.double_value)
    )
    return _quote(text) if quoted else text


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
