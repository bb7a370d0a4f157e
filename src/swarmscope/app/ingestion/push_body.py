"""Loki's push request (protobuf) from columns. Source: https://github.com/grafana/loki/blob/main/pkg/push/push.proto"""

from __future__ import annotations

from collections.abc import Mapping

import cramjam
import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.matchers import Matcher, MatchOperator

_STREAMS, _LABELS, _ENTRIES, _TIMESTAMP, _LINE = 0x0A, 0x0A, 0x12, 0x0A, 0x12
_SECONDS, _NANOS = 0x08, 0x10
_NS_PER_S = 1_000_000_000
_MAX_ENTRY_HEAD_BYTES = 40


@njit(nogil=True, cache=True)
def _varint_size(number: int) -> int:
    size = 1
    while number >= 128:
        number >>= 7
        size += 1
    return size


@njit(nogil=True, cache=True)
def _write_varint(out: NDArray[np.uint8], at: int, number: int) -> int:
    while number >= 128:
        out[at] = (number & 127) | 128
        number >>= 7
        at += 1
    out[at] = number
    return at + 1


@njit(nogil=True, cache=True)
def _write_entries(
    out: NDArray[np.uint8],
    ts_ns: NDArray[np.int64],
    buffer: NDArray[np.uint8],
    start: NDArray[np.int64],
    length: NDArray[np.int64],
) -> int:
    at = 0
    for row in range(len(ts_ns)):
        seconds, nanos = ts_ns[row] // _NS_PER_S, ts_ns[row] % _NS_PER_S
        stamp_size = 2 + _varint_size(seconds) + _varint_size(nanos)
        size = length[row]
        out[at] = _ENTRIES
        at = _write_varint(out, at + 1, 2 + stamp_size + 1 + _varint_size(size) + size)
        out[at] = _TIMESTAMP
        out[at + 1] = stamp_size
        out[at + 2] = _SECONDS
        at = _write_varint(out, at + 3, seconds)
        out[at] = _NANOS
        at = _write_varint(out, at + 1, nanos)
        out[at] = _LINE
        at = _write_varint(out, at + 1, size)
        for k in range(start[row], start[row] + size):
            out[at] = buffer[k]
            at += 1
    return at


def label_text(labels: Mapping[str, str]) -> str:
    """`{a="b", c="d"}`."""
    return "{" + ", ".join(str(Matcher(name, MatchOperator.EQUAL, value)) for name, value in labels.items()) + "}"


def push_body(labels: str, ts_ns: NDArray[np.int64], line: Utf8Column) -> bytes:
    """One stream's lines [n], compressed with snappy. Times MUST not lie before 1970."""
    out = np.empty(int(line.length.sum()) + _MAX_ENTRY_HEAD_BYTES * len(line), np.uint8)
    size = _write_entries(out, ts_ns, line.buffer, line.start, line.length)
    text = labels.encode()
    head = bytearray(_MAX_ENTRY_HEAD_BYTES)
    room = np.frombuffer(head, np.uint8)
    room[0] = _LABELS
    end = _write_varint(room, 1, len(text))
    stream = bytes(head[:end]) + text + out[:size].tobytes()
    room[0] = _STREAMS
    end = _write_varint(room, 1, len(stream))
    return bytes(cramjam.snappy.compress_raw(bytes(head[:end]) + stream))
