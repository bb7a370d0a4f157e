"""Series as Arrow columns, both ways: what the store inserts for new series, and what it reads back at start."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.store.catalogue.symbols import SymbolTables, gather_bytes
from swarmscope.store.catalogue.tables import SeriesTables

# Column names and types of the table `series`, in the order in which they are exported.
EXPORT_SCHEMA = pa.schema(
    [
        ("ref", pa.uint64()),
        ("metric_id", pa.uint32()),
        ("tenant", pa.string()),
        ("metric", pa.string()),
        ("label_names", pa.list_(pa.string())),
        ("label_values", pa.list_(pa.string())),
        ("created_ms", pa.int64()),
    ]
)


def string_array(symbols: SymbolTables, codes: NDArray[np.int32]) -> pa.StringArray:
    """The strings of `codes` [n] as an Arrow array."""
    lengths = symbols.starts[codes + 1] - symbols.starts[codes]
    total = int(lengths.sum())
    if total > np.iinfo(np.int32).max:
        raise OverflowError(f"{total} bytes of strings do not fit one Arrow array; export fewer series at a time")
    offsets = np.zeros(len(codes) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    data = np.empty(total, np.uint8)
    gather_bytes(symbols, codes, offsets, data)
    return pa.StringArray.from_buffers(len(codes), pa.py_buffer(offsets), pa.py_buffer(data))


@njit(nogil=True, cache=True)
def _gather_pairs(
    tables: SeriesTables, refs: NDArray[np.int64]
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
    """Offsets [n + 1] and symbol codes of names and values of the series `refs` [n]."""
    offsets = np.zeros(len(refs) + 1, np.int32)
    for index in range(len(refs)):
        offsets[index + 1] = offsets[index] + tables.pair_count[refs[index]]
    names = np.empty(offsets[-1], np.int32)
    values = np.empty(offsets[-1], np.int32)
    for index in range(len(refs)):
        start = tables.pair_start[refs[index]]
        for pair in range(offsets[index + 1] - offsets[index]):
            names[offsets[index] + pair] = tables.label_code[tables.pair_label[start + pair]]
            values[offsets[index] + pair] = tables.pair_value[start + pair]
    return offsets, names, values


def series_batch(
    tables: SeriesTables, symbols: SymbolTables, refs: NDArray[np.int64], tenants: list[str], created_ms: int
) -> pa.RecordBatch:
    """Rows of the series `refs` [n] under `EXPORT_SCHEMA`; `tenants` are the names by tenant number."""
    offsets, names, values = _gather_pairs(tables, refs)
    metric = tables.metric[refs]
    tenant = pa.DictionaryArray.from_arrays(pa.array(tables.metric_tenant[metric]), pa.array(tenants, pa.string()))
    columns = [
        pa.array(refs.astype(np.uint64)),
        pa.array(metric.astype(np.uint32)),
        tenant.cast(pa.string()),
        string_array(symbols, tables.metric_name[metric]),
        pa.ListArray.from_arrays(pa.array(offsets), string_array(symbols, names)),
        pa.ListArray.from_arrays(pa.array(offsets), string_array(symbols, values)),
        pa.array(np.full(len(refs), created_ms, np.int64)),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=EXPORT_SCHEMA)


def _string_column(array: pa.Array) -> Utf8Column:
    """View string or binary data of any width as a column; copies nothing but the offsets."""
    wide = pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type)
    if not (wide or pa.types.is_string(array.type) or pa.types.is_binary(array.type)):
        array = array.cast(pa.string())
    _, offset_buffer, data = array.buffers()
    if len(array) == 0 or offset_buffer is None:
        return Utf8Column(np.zeros(1, np.uint8), np.zeros(0, np.int64), np.zeros(0, np.int64))
    offsets = np.frombuffer(offset_buffer, np.int64 if wide else np.int32)
    bounds = offsets[array.offset : array.offset + len(array) + 1].astype(np.int64)
    buffer = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    return Utf8Column(buffer, bounds[:-1], np.diff(bounds))


def label_sets(batch: pa.RecordBatch) -> LabelSets:
    """The label sets of rows in the layout of `EXPORT_SCHEMA` (strings may be binary, as ClickHouse sends them)."""
    names, values = batch.column("label_names"), batch.column("label_values")
    offsets = np.asarray(names.offsets).astype(np.int64)
    if not np.array_equal(np.diff(offsets), np.diff(np.asarray(values.offsets).astype(np.int64))):
        raise ValueError("table series is damaged: label_names and label_values differ in length")
    # `values` of a sliced list starts at the parent's first entry; cut both to what these rows own.
    first = int(np.asarray(values.offsets)[0])
    name_column = _string_column(names.values.slice(int(offsets[0]), int(offsets[-1] - offsets[0])))
    value_column = _string_column(values.values.slice(first, int(offsets[-1] - offsets[0])))
    return LabelSets(offsets - offsets[0], name_column, value_column)


def tenant_column(batch: pa.RecordBatch) -> tuple[NDArray[np.int64], list[str]]:
    """Rows' tenants as positions in a list of names."""
    column = batch.column("tenant")
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    names = [name.decode() if isinstance(name, bytes) else str(name) for name in column.dictionary.to_pylist()]
    return np.asarray(column.indices).astype(np.int64), names
