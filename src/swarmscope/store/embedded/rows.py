"""Model columns to the rows of tables, as Arrow batches, and back."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.model.metrics import Buckets, ExemplarColumns, HistogramColumns, MetadataColumns

_LABELS = pa.map_(pa.string(), pa.string())


def _list_array(offsets: NDArray[np.int64], values: NDArray[np.generic]) -> pa.ListArray:
    return pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values))


def histogram_rows(
    histograms: HistogramColumns, ref: NDArray[np.int64], metric_id: NDArray[np.uint32]
) -> pa.RecordBatch:
    """Histograms [n] of series `ref` [n] as rows of the histograms table."""
    return pa.record_batch(
        {
            "metric_id": metric_id,
            "ref": ref.astype(np.uint32),
            "ts": histograms.ts_ms,
            "schema": histograms.schema,
            "reset_hint": histograms.reset_hint,
            "is_float": histograms.is_float,
            "zero_threshold": histograms.zero_threshold,
            "zero_count": histograms.zero_count,
            "count": histograms.count,
            "sum_bits": np.ascontiguousarray(histograms.sum).view(np.uint64),
            "positive_index": _list_array(histograms.positive.offsets, histograms.positive.index),
            "positive_count": _list_array(histograms.positive.offsets, histograms.positive.count),
            "negative_index": _list_array(histograms.negative.offsets, histograms.negative.index),
            "negative_count": _list_array(histograms.negative.offsets, histograms.negative.count),
            "custom_bounds": _list_array(histograms.custom_offsets, histograms.custom_bounds),
        }
    )


def _numbers(table: pa.Table, name: str) -> NDArray[np.generic]:
    numbers: NDArray[np.generic] = table.column(name).combine_chunks().to_numpy(zero_copy_only=False)
    return numbers


def _lists(table: pa.Table, name: str) -> tuple[NDArray[np.int64], NDArray[np.generic]]:
    column = table.column(name).combine_chunks()
    values = column.flatten().to_numpy(zero_copy_only=False)
    lengths = column.value_lengths().to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(column) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets, values


def _buckets(table: pa.Table, side: str) -> Buckets:
    offsets, index = _lists(table, f"{side}_index")
    _, count = _lists(table, f"{side}_count")
    return Buckets(offsets, index.astype(np.int32), count.astype(np.float64))


def histograms_from_rows(table: pa.Table, series: NDArray[np.int64]) -> HistogramColumns:
    """Rows of the histograms table as columns that belong to `series` [n]."""
    custom_offsets, custom_bounds = _lists(table, "custom_bounds")
    return HistogramColumns(
        series=series,
        ts_ms=_numbers(table, "ts").astype(np.int64),
        schema=_numbers(table, "schema").astype(np.int8),
        reset_hint=_numbers(table, "reset_hint").astype(np.uint8),
        is_float=_numbers(table, "is_float").astype(np.bool_),
        zero_threshold=_numbers(table, "zero_threshold").astype(np.float64),
        zero_count=_numbers(table, "zero_count").astype(np.float64),
        count=_numbers(table, "count").astype(np.float64),
        sum=np.ascontiguousarray(_numbers(table, "sum_bits").astype(np.uint64)).view(np.float64),
        positive=_buckets(table, "positive"),
        negative=_buckets(table, "negative"),
        custom_offsets=custom_offsets,
        custom_bounds=custom_bounds.astype(np.float64),
    )


def exemplar_rows(exemplars: ExemplarColumns, ref: NDArray[np.int64], metric_id: NDArray[np.uint32]) -> pa.RecordBatch:
    """Exemplars [n] of series `ref` [n] as rows of the exemplars table."""
    labels = pa.MapArray.from_arrays(
        pa.array(exemplars.labels.offsets.astype(np.int32)),
        exemplars.labels.names.to_arrow(),
        exemplars.labels.values.to_arrow(),
    )
    return pa.record_batch(
        {
            "metric_id": metric_id,
            "ref": ref.astype(np.uint32),
            "ts": exemplars.ts_ms,
            "value": exemplars.value,
            "labels": labels.cast(_LABELS),
        }
    )


def metadata_rows(metadata: MetadataColumns, tenant: str, seen_ms: int) -> pa.RecordBatch:
    """Metadata [n] as rows of the metadata table."""
    n = len(metadata)
    return pa.record_batch(
        {
            "tenant": pa.array([tenant] * n, pa.string()),
            "metric": pa.array(metadata.metric, pa.string()),
            "kind": pa.array(metadata.kind, pa.string()),
            "unit": pa.array(metadata.unit, pa.string()),
            "help": pa.array(metadata.help, pa.string()),
            "seen_ms": pa.array([seen_ms] * n, pa.int64()),
        }
    )


def to_ipc(batch: pa.RecordBatch) -> NDArray[np.uint8]:
    """An Arrow stream as bytes, for the journal."""
    buffer = pa.BufferOutputStream()
    with pa.ipc.new_stream(buffer, batch.schema) as stream:
        stream.write_batch(batch)
    data: NDArray[np.uint8] = np.frombuffer(buffer.getvalue(), np.uint8)
    return data


def from_ipc(data: NDArray[np.uint8]) -> pa.RecordBatch:
    """The one batch of an Arrow stream that `to_ipc` wrote."""
    return pa.ipc.open_stream(pa.py_buffer(data)).read_next_batch()
