"""Trace ids as texts, and arrays of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.logs import TRACE_ID_BYTES

_HEX = frozenset("0123456789abcdefABCDEF")
_SHORT_DIGITS = TRACE_ID_BYTES


def parse_trace_id(text: str) -> bytes:
    """TRACE_ID_BYTES of 1 to 32 hexadecimal digits: shorter ids are those of 64 bits. Raises ValueError."""
    if not text or len(text) > 2 * TRACE_ID_BYTES:
        raise ValueError(f"a trace ID has 1 to {2 * TRACE_ID_BYTES} hexadecimal digits, not {len(text)}")
    if not _HEX.issuperset(text):
        raise ValueError(f"a trace ID has hexadecimal digits alone: {text!r}")
    return bytes.fromhex(text.rjust(2 * TRACE_ID_BYTES, "0"))


def trace_id_text(trace_id: bytes) -> str:
    """32 digits, 16 where the upper half is zero, as tracers with ids of 64 bits spell them."""
    digits = trace_id.hex()
    return digits if digits[:_SHORT_DIGITS].strip("0") else digits[_SHORT_DIGITS:]


def trace_id_rows(trace_ids: Sequence[bytes]) -> NDArray[np.uint8]:
    """The ids [n, TRACE_ID_BYTES] as `SpanReader.find_traces` takes them."""
    return np.frombuffer(b"".join(trace_ids), np.uint8).reshape(len(trace_ids), TRACE_ID_BYTES)
