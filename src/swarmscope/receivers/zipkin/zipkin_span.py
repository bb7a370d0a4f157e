"""A span as all of Zipkin's formats tell it, and its ids.

Source: https://zipkin.io/zipkin-api/ (v2).
"""

from __future__ import annotations

from typing import NamedTuple

from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES

NO_ID = bytes(SPAN_ID_BYTES)
BAD_TRACE_ID = f"the trace id is not hexadecimal, has more than {2 * TRACE_ID_BYTES} digits, or is zero"
BAD_SPAN_ID = f"the span id is not hexadecimal, has more than {2 * SPAN_ID_BYTES} digits, or is zero"
BAD_PARENT_ID = f"the parent id is not hexadecimal, or has more than {2 * SPAN_ID_BYTES} digits"
MAX_US = (1 << 63) // 1000 - 1


class Endpoint(NamedTuple):
    """Where a span was recorded, or what is on its other side; addresses as text, "" and 0 for what is not told."""

    service: str = ""
    ipv4: str = ""
    ipv6: str = ""
    port: int = 0


NOWHERE = Endpoint()


class ZipkinSpan(NamedTuple):
    """One span; times are 0 where they are not told."""

    trace_id: bytes  # 16
    span_id: bytes  # 8
    parent_id: bytes  # 8
    name: bytes
    kind: int  # SpanKind
    timestamp_us: int
    duration_us: int
    local: Endpoint
    remote: Endpoint
    tag_names: list[bytes]
    tag_values: list[bytes]
    annotations: list[tuple[int, str]]  # time (µs) and value
    shared: bool
    debug: bool


class RefusedSpanError(Exception):
    """A span whose ids are not valid; the text is the reason."""


def _to_id(text: object, n_bytes: int) -> bytes | None:
    """The bytes of a hexadecimal id, zeros on the left; None for what is none."""
    if type(text) is not str:
        return None
    try:
        found = bytes.fromhex(text.rjust(2 * n_bytes, "0"))
    except ValueError:
        return None
    return found if len(found) == n_bytes else None


def to_ids(trace_id: object, span_id: object, parent_id: object) -> tuple[bytes, bytes, bytes]:
    """The three ids; a span that is its own parent has none. Raises RefusedSpanError."""
    trace, span = _to_id(trace_id, TRACE_ID_BYTES), _to_id(span_id, SPAN_ID_BYTES)
    if trace is None or not any(trace):
        raise RefusedSpanError(BAD_TRACE_ID)
    if span is None or span == NO_ID:
        raise RefusedSpanError(BAD_SPAN_ID)
    if parent_id is None:
        return trace, span, NO_ID
    parent = _to_id(parent_id, SPAN_ID_BYTES)
    if parent is None:
        raise RefusedSpanError(BAD_PARENT_ID)
    return trace, span, NO_ID if parent == span else parent
