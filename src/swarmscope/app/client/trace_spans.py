"""Spans of Tempo's answers, as plain values, and the family that they make."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from swarmscope.app.client.outcome import QueryProblem
from swarmscope.model.trace_family import Family, Member, family_of

_KIND, _ERROR = "SPAN_KIND_", "ERROR"
Value = str | bool | int | float | list[Any] | dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class ShownEvent:
    """An event of a span."""

    ts_ns: int
    name: str
    attributes: Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class ShownSpan:
    """One span; ids are hexadecimal. `kind` and `status` are in lower case, "" where nothing is said."""

    span_id: str
    parent_id: str
    service: str
    name: str
    kind: str
    start_ns: int
    end_ns: int
    status: str
    status_message: str
    attributes: Mapping[str, Value]
    resource: Mapping[str, Value]
    events: tuple[ShownEvent, ...]

    @property
    def duration_ns(self) -> int:
        """End minus start, may be negative."""
        return self.end_ns - self.start_ns

    @property
    def is_error(self) -> bool:
        """Whether it says that it failed."""
        return self.status == _ERROR.lower()


def read_spans(answer: Mapping[str, Any]) -> list[ShownSpan]:
    """All spans of an answer. Raises QueryProblem where it is none of Tempo's."""
    try:
        return list(_spans(answer["trace"]["resourceSpans"]))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise QueryProblem(f"the answer is not Tempo's JSON: {error!r}") from None


def _spans(batches: list[dict[str, Any]]) -> Iterator[ShownSpan]:
    for batch in batches:
        resource = _attributes(batch.get("resource", {}))
        for of_scope in batch.get("scopeSpans", ()):
            for span in of_scope["spans"]:
                yield _span(span, resource)


def _span(span: dict[str, Any], resource: Mapping[str, Value]) -> ShownSpan:
    status = span.get("status", {})
    return ShownSpan(
        span_id=_hex(span["spanId"]),
        parent_id=_hex(span.get("parentSpanId", "")),
        service=str(resource.get("service.name", "")),
        name=span.get("name", ""),
        kind=str(span.get("kind", "")).removeprefix(_KIND).lower().replace("unspecified", ""),
        start_ns=int(span.get("startTimeUnixNano", 0)),
        end_ns=int(span.get("endTimeUnixNano", 0)),
        status=str(status.get("code", "")).removeprefix("STATUS_CODE_").lower().replace("unset", ""),
        status_message=status.get("message", ""),
        attributes=_attributes(span),
        resource=resource,
        events=tuple(
            ShownEvent(int(event.get("timeUnixNano", 0)), event.get("name", ""), _attributes(event))
            for event in span.get("events", ())
        ),
    )


def family_of_spans(spans: list[ShownSpan]) -> Family:
    """Who is whose parent among the spans of one trace."""
    return family_of([
        Member(
            bytes.fromhex(span.span_id),
            bytes.fromhex(span.parent_id),
            span.start_ns,
            span.duration_ns,
            span.kind == "client",
            span.kind == "server",
        )
        for span in spans
    ])  # fmt: skip


def _hex(text: str) -> str:
    """An id in base64, as Tempo gives it, or in hexadecimal, as OTLP's JSON has it; "" for none."""
    if len(text) in (16, 32):
        try:
            return bytes.fromhex(text).hex()
        except ValueError:
            pass
    try:
        raw = b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError(f"{text!r} is no id") from None
    return raw.hex() if any(raw) else ""


def _attributes(holder: Mapping[str, Any]) -> dict[str, Value]:
    return {each["key"]: value_of(each.get("value", {})) for each in holder.get("attributes", ())}


def value_of(value: Mapping[str, Any]) -> Value:
    """A value of OTLP's JSON as a Python value."""
    for kind, content in value.items():
        match kind:
            case "intValue":
                return int(content)
            case "doubleValue":
                return float(content)
            case "arrayValue":
                return [value_of(each) for each in content.get("values", ())]
            case "kvlistValue":
                return {each["key"]: value_of(each.get("value", {})) for each in content.get("values", ())}
            case _:
                plain: Value = content
                return plain
    return None
