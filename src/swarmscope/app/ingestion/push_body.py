"""Loki's push request (protobuf) from columns. Source: https://github.com/grafana/loki/blob/main/pkg/push/push.proto"""

from __future__ import annotations

from collections.abc import Mapping

import cramjam
import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.app.ingestion.syslog import NO_PRIORITY, PRIORITIES, metadata_of
from swarmscope.model.labels import Utf8Column
from swarmscope.model.matchers import Matcher, MatchOperator

_STREAMS, _LABELS, _ENTRIES, _TIMESTAMP, _LINE, _METADATA = 0x0A, 0x0A, 0x12, 0x0A, 0x12, 0x1A
_SECONDS, _NANOS = 0x08, 0x10
_NS_PER_S = 1_000_000_000
_MAX_ENTRY_HEAD_BYTES = 40
_MAX_VARINT_BYTES = 10


def _written_metadata() -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of all priorities' pairs, and where those of each begin [PRIORITIES + 1]."""
    parts = []
    for priority in range(PRIORITIES):
        pairs = b""
        for name, value in metadata_of(priority).items():
            pair = bytes((0x0A, len(name))) + name.encode() + bytes((0x12, len(value))) + value.encode()
            pairs += bytes((_METADATA, len(pair))) + pair
        parts.append(pairs)
    ends = np.cumsum([0, *map(len, parts)])
    return np.frombuffer(b"".join(parts), np.uint8).copy(), ends.astype(np.int64)


_PAIRS, _PAIRS_BEGIN = _written_metadata()
_MAX_PAIRS_BYTES = int(np.diff(_PAIRS_BEGIN).max())


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
    priority: NDArray[np.int64],
) -> int:
    at = 0
    for row in range(len(ts_ns)):
        seconds, nanos = ts_ns[row] // _NS_PER_S, ts_ns[row] % _NS_PER_S
        stamp_size = 2 + _varint_size(seconds) + _varint_size(nanos)
        size = length[row]
        kind = priority[row] if len(priority) else NO_PRIORITY
        pairs_begin, pairs_end = (_PAIRS_BEGIN[kind], _PAIRS_BEGIN[kind + 1]) if kind >= 0 else (0, 0)
        out[at] = _ENTRIES
        inner_size = 2 + stamp_size + 1 + _varint_size(size) + size + pairs_end - pairs_begin
        at = _write_varint(out, at + 1, inner_size)
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
        for k in range(pairs_begin, pairs_end):
            out[at] = _PAIRS[k]
            at += 1
    return at


def label_text(labels: Mapping[str, str]) -> str:
    """`{a="b", c="d"}`."""
    return "{" + ", ".join(str(Matcher(name, MatchOperator.EQUAL, value)) for name, value in labels.items()) + "}"


def push_body(labels: str, ts_ns: NDArray[np.int64], line: Utf8Column, priority: NDArray[np.int64]) -> bytes:
    """One stream's lines [n], compressed with snappy. Times MUST not lie before 1970.

    `priority` is syslog's [n], or empty where lines have none.
    """
    head_bytes = _MAX_ENTRY_HEAD_BYTES + (_MAX_PAIRS_BYTES if len(priority) else 0)
    text = labels.encode()
    # The two lengths in front are known at the end; room for the longest ones is left.
    begin = len(text) + 2 * _MAX_VARINT_BYTES + 2
    out = np.empty(begin + int(line.length.sum()) + head_bytes * len(line), np.uint8)
    size = _write_entries(out[begin:], ts_ns, line.buffer, line.start, line.length, priority)
    stream_head = bytes((_LABELS,)) + _varint(len(text)) + text
    head = bytes((_STREAMS,)) + _varint(len(stream_head) + size) + stream_head
    out[begin - len(head) : begin] = np.frombuffer(head, np.uint8)
    return bytes(cramjam.snappy.compress_raw(out[begin - len(head) : begin + size].data))


def _varint(number: int) -> bytes:
    out = np.empty(_MAX_VARINT_BYTES, np.uint8)
    return out[: _write_varint(out, 0, number)].tobytes()
