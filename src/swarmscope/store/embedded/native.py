"""ClickHouse's Native format to and from NumPy: numbers cross without being copied or parsed.

Source: https://clickhouse.com/docs/interfaces/formats/Native. A block is varint columns, varint rows, then for each
column its name, its type and the raw values. Numbers, FixedString (as uint8[n_rows, width]) and String are spoken here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.uvarint import to_uvarint
from swarmscope.store.embedded.native_strings import decode_strings, encode_strings

AnyArray = NDArray[np.generic]
AnyColumn = AnyArray | Utf8Column

_DTYPES: dict[str, np.dtype[np.generic]] = {
    "UInt8": np.dtype(np.uint8),
    "UInt16": np.dtype(np.uint16),
    "UInt32": np.dtype(np.uint32),
    "UInt64": np.dtype(np.uint64),
    "Int8": np.dtype(np.int8),
    "Int16": np.dtype(np.int16),
    "Int32": np.dtype(np.int32),
    "Int64": np.dtype(np.int64),
    "Float32": np.dtype(np.float32),
    "Float64": np.dtype(np.float64),
}
_TYPES = {dtype: name for name, dtype in _DTYPES.items()}
_FIXED_STRING = "FixedString("


def _text(value: str) -> bytes:
    encoded = value.encode()
    return to_uvarint(len(encoded)) + encoded


def encode_native(columns: Mapping[str, AnyColumn]) -> Iterator[memoryview]:
    """One block with the columns [n_rows] each, piece by piece; the ClickHouse types follow from the dtypes.

    Numbers are not copied: they MUST stay as they are until the last piece is taken.
    """
    n_rows = len(next(iter(columns.values())))
    yield memoryview(to_uvarint(len(columns)) + to_uvarint(n_rows))
    for name, column in columns.items():
        yield memoryview(_text(name) + _text(_type_name(column)))
        if isinstance(column, Utf8Column):
            yield from encode_strings(column)
        else:
            yield memoryview(np.ascontiguousarray(column).reshape(-1).view(np.uint8).data)


def _type_name(column: AnyColumn) -> str:
    if isinstance(column, Utf8Column):
        return "String"
    return _TYPES[column.dtype] if column.ndim == 1 else f"{_FIXED_STRING}{column.shape[1]})"


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

    With a single block the arrays are views into `data`. Raises TypeError on strings.
    """
    columns: dict[str, AnyArray] = {}
    for name, column in decode_native_rows(data).items():
        if isinstance(column, Utf8Column):
            raise TypeError(f"column {name} holds strings")
        columns[name] = column
    return columns


def decode_native_rows(data: bytes) -> dict[str, AnyColumn]:
    """As `decode_native`, with strings as columns whose buffer is `data` itself."""
    cursor = _Cursor(data)
    buffer = np.frombuffer(data, np.uint8)
    blocks: dict[str, list[AnyColumn]] = {}
    while cursor.at < len(data):
        n_columns, n_rows = cursor.varint(), cursor.varint()
        for _ in range(n_columns):
            blocks.setdefault(cursor.text(), []).append(_column(cursor, buffer, cursor.text(), n_rows))
    return {name: parts[0] if len(parts) == 1 else _joined(parts) for name, parts in blocks.items()}


def _column(cursor: _Cursor, buffer: NDArray[np.uint8], type_name: str, n_rows: int) -> AnyColumn:
    begin = cursor.at
    if type_name == "String":
        texts, cursor.at = decode_strings(buffer, begin, n_rows)
        return texts
    if type_name.startswith(_FIXED_STRING):
        width = int(type_name[len(_FIXED_STRING) : -1])
        cursor.at += n_rows * width
        return buffer[begin : cursor.at].reshape(n_rows, width)
    dtype = _DTYPES[type_name]
    cursor.at += n_rows * dtype.itemsize
    return np.frombuffer(cursor.data, dtype, n_rows, begin)


def _joined(parts: list[AnyColumn]) -> AnyColumn:
    texts = [part for part in parts if isinstance(part, Utf8Column)]
    if texts:
        starts, lengths = [part.start for part in texts], [part.length for part in texts]
        return Utf8Column(texts[0].buffer, np.concatenate(starts), np.concatenate(lengths))
    return np.concatenate([part for part in parts if not isinstance(part, Utf8Column)])
