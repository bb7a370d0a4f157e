"""OTLP's JSON: ids in hexadecimal digits, numbers of 64 bits as texts, enumerations as numbers.

Source: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.trace.v1 import trace_pb2

_IDS = ("traceId", "spanId", "parentSpanId")


def resource_spans_json(data: trace_pb2.TracesData) -> list[dict[str, Any]]:
    """The element `resourceSpans`."""
    found: list[dict[str, Any]] = json_format.MessageToDict(data, use_integers_for_enums=True).get("resourceSpans", [])
    for of_resource in found:
        for of_scope in of_resource.get("scopeSpans", ()):
            for span in of_scope.get("spans", ()):
                _spell_ids(span)
                for link in span.get("links", ()):
                    _spell_ids(link)
    return found


def _spell_ids(message: dict[str, Any]) -> None:
    for name in _IDS:
        if name in message:
            message[name] = base64.b64decode(message[name]).hex()
