"""ClickHouse's Native format to and from NumPy: numbers cross without being copied or parsed.

Source: https://clickhouse.com/docs/interfaces/formats/Native. A block is varint columns, varint rows, then for each
column its name, its type and the raw values. Only fixed-width types are spoken here; strings go as Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

AnyArray = NDArray[np.generic]

_DTYPES: dict[str, np.dtype[np.generic]] = {
    "UInt8": np.dtype(np.uint8),
    "UInt16": np.dtype(np.uint16),
    "UInt32": np.dtype(np.uint32),
    "UInt64": np.dtype(np.uint64),
    "Int8": np.dtype(np.int8),
    "Int16": np.dtype(np.int16),
    "Int32": np.dtype(np.int32),
    "Int64": np.dtype(np.int64),
    "Float64": np.dtype(np.float64),
}
_TYPES = {dtype: name for name, dtype in _DTYPES.items()}


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _text(value: str) -> bytes:
    encoded = value.encode()
    return _varint(len(encoded)) + encoded


def encode_native(columns: Mapping[str, AnyArray]) -> Iterator[memoryview]:
    """One block with the columns [n_rows] each, piece by piece; the ClickHouse types follow from the dtypes.

    Columns are not copied: they MUST stay as they are until the last piece is taken.
    """
    n_rows = len(next(iter(columns.values())))
    yield memoryview(_varint(len(columns)) + _varint(n_rows))
    for name, column in columns.items():
        yield memoryview(_text(name) + _text(_TYPES[column.dtype]))
        yield memoryview(np.ascontiguousarray(column).view(np.uint8).data)


class _Cursor:
    """A read position in the bytes of an answer."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.data[self.at]
            self.at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self) -> str:
        length = self.varint()
        self.at += length
        return self.data[self.at - length : self.at].decode()


def decode_native(data: bytes) -> dict[str, AnyArray]:
    """All blocks of an answer joined to columns [n_rows]; no column at all when the answer has no rows.

    With a single block the arrays are views into `data`.
    """
    cursor = _Cursor(data)
    blocks: dict[str, list[AnyArray]] = {}
    while cursor.at < len(data):
        n_columns, n_rows = cursor.varint(), cursor.varint()
        for _ in range(n_columns):
            name, dtype = cursor.text(), _DTYPES[cursor.text()]
            blocks.setdefault(name, []).append(np.frombuffer(data, dtype, n_rows, cursor.at))
            cursor.at += n_rows * dtype.itemsize
    return {name: parts[0] if len(parts) == 1 else np.concatenate(parts) for name, parts in blocks.items()}
