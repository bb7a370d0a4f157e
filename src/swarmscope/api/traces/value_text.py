"""Attribute values for protocols whose tags are texts or simple values.

Source: https://opentelemetry.io/docs/specs/otel/common/#attribute-collections and
https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/
"""

from __future__ import annotations

import base64
import math
from typing import Any

import orjson
from opentelemetry.proto.common.v1 import common_pb2

from swarmscope.model.attributes import Scalar, ValueKind, spell_scalar, to_scalar

_WORD = 1 << 64
_MAX_INT64 = (1 << 63) - 1


def json_value(kind: int, text: bytes) -> Any:
    """One value, by kind (`ValueKind`) and bytes, as what orjson can write; bytes are base64."""
    match kind:
        case ValueKind.ARRAY:
            return [_of_message(each) for each in common_pb2.ArrayValue.FromString(text).values]
        case ValueKind.MAP:
            return {each.key: _of_message(each.value) for each in common_pb2.KeyValueList.FromString(text).values}
    return _of_scalar(to_scalar(kind, text))


def value_text(kind: int, text: bytes) -> str:
    """One value as text: strings as they are, no value as "", all else as JSON spells it."""
    value = json_value(kind, text)
    if value is None:
        return ""
    return value if isinstance(value, str) else json_text(value)


def json_text(value: Any) -> str:
    """Compact JSON."""
    return orjson.dumps(value).decode()


def _of_scalar(value: Scalar) -> Any:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, float) and not math.isfinite(value):
        # JSON has no such numbers; these are the names that protobuf gives them.
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def _of_message(message: common_pb2.AnyValue) -> Any:
    """A value inside an array or a map."""
    match message.WhichOneof("value"):
        case "array_value":
            return [_of_message(each) for each in message.array_value.values]
        case "kvlist_value":
            return {each.key: _of_message(each.value) for each in message.kvlist_value.values}
        case None:
            return None
        case field:
            return _of_scalar(getattr(message, field))


def spellings(text: str) -> dict[ValueKind, bytes]:
    """The values, by kind, that read as `text`: a tag's value is a text in a query, whatever its type is."""
    found = {ValueKind.STRING: text.encode("utf-8", "replace")}
    if text in ("true", "false"):
        found[ValueKind.BOOL] = bytes([text == "true"])
    try:
        number = int(text) if text.lstrip("+-").isdecimal() else None
        if number is not None and -_MAX_INT64 - 1 <= number <= _MAX_INT64:
            found[ValueKind.INT] = (number % _WORD).to_bytes(8, "little")
        found[ValueKind.DOUBLE] = spell_scalar(float(text))[1]
    except ValueError:
        pass
    return found
