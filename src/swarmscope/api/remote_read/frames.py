"""Streamed remote read: length-delimited, checksummed protobuf frames.

Format: uvarint length, CRC-32C (Castagnoli) of the message as a big-endian uint32, the message
(prometheus/storage/remote/chunked.go; prompb.ChunkedReadResponse).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.uvarint import to_uvarint

_POLYNOMIAL = 0x82F63B78  # Castagnoli, reflected


def _table() -> NDArray[np.uint32]:
    table = np.arange(256, dtype=np.uint32)
    for _ in range(8):
        table = np.where(table & 1, (table >> 1) ^ np.uint32(_POLYNOMIAL), table >> 1).astype(np.uint32)
    return table


_CRC_TABLE = _table()


@njit(nogil=True, cache=True)
def _crc(data: NDArray[np.uint8]) -> Any:
    state = np.uint32(0xFFFFFFFF)
    for byte in data:
        state = np.uint32(_CRC_TABLE[(state ^ byte) & np.uint32(0xFF)] ^ (state >> np.uint32(8)))
    return np.uint32(state ^ np.uint32(0xFFFFFFFF))


def crc32c(data: bytes) -> int:
    """CRC-32C."""
    return int(_crc(np.frombuffer(data, np.uint8)))


def delimited(number: int, payload: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return to_uvarint(number << 3 | 2) + to_uvarint(len(payload)) + payload


def to_frame(message: bytes) -> bytes:
    """The message, framed."""
    return to_uvarint(len(message)) + crc32c(message).to_bytes(4, "big") + message
