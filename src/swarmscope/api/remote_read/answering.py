"""Remote read answers: the samples of each query, all at once or chunk frames in groups of series."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cramjam
import numpy as np

from swarmscope.api.prometheus.label_sets import label_dicts
from swarmscope.api.remote_read.frames import delimited, to_frame
from swarmscope.api.remote_read.histogram_chunks import encode_histogram_chunks
from swarmscope.api.remote_read.histogram_spans import HistogramRow, to_deltas, to_row
from swarmscope.api.remote_read.request import ReadQuery
from swarmscope.api.remote_read.sample_messages import encode_samples
from swarmscope.api.remote_read.schema import MESSAGES
from swarmscope.api.remote_read.xor_chunks import Chunks, encode_xor_chunks
from swarmscope.model.contracts import ReadBudget, Reader
from swarmscope.model.series import LabelFrame, Selection
from swarmscope.model.uvarint import to_uvarint

# Series whose samples are in memory at once while frames are streamed.
_SERIES_PER_GROUP = 1_000


class ReadSource:
    """Where remote read finds its data: a reader, one tenant, the labels that the outside world sees."""

    def __init__(self, reader: Reader, tenant: str, external: Mapping[str, str]) -> None:
        self.reader = reader
        self.tenant = tenant
        self.external = external

    def select(self, query: ReadQuery) -> Selection:
        """The query's series in the order of their labels, as remote read promises."""
        matchers = [m for m in query.matchers if self.external.get(m.name) != m.value or m.operator != "="]
        selection = self.reader.select_series(self.tenant, matchers, query.start_ms, query.end_ms)
        labels = self.labels(selection)
        return part_of(selection, sorted(range(len(labels)), key=lambda place: list(labels[place].items())))

    def labels(self, selection: Selection) -> list[dict[str, str]]:
        """Label sets with the external labels, names sorted."""
        found = label_dicts(selection.labels, self.reader.symbols)
        if not self.external:
            return found
        return [dict(sorted({**self.external, **labels}.items())) for labels in found]

    def histogram_rows(
        self, selection: Selection, query: ReadQuery, budget: ReadBudget
    ) -> dict[int, list[HistogramRow]]:
        """Native histograms by the series' position. # Slow path: one Python object a histogram."""
        if not selection.has_histograms:
            return {}
        columns = self.reader.read_histograms(selection, query.start_ms, query.end_ms, budget)
        rows: dict[int, list[HistogramRow]] = {}
        for row, series in enumerate(columns.series.tolist()):
            rows.setdefault(series, []).append(to_row(columns, row))
        return rows


def part_of(selection: Selection, places: Sequence[int]) -> Selection:
    """The series at `places`, in that order."""
    index = np.array(places, np.int64)
    frame = LabelFrame(selection.labels.names, np.ascontiguousarray(selection.labels.codes[:, index]))
    return Selection(selection.refs[index], frame, selection.has_histograms)


def _label_fields(labels: Mapping[str, str]) -> bytes:
    pairs = (delimited(1, name.encode()) + delimited(2, value.encode()) for name, value in labels.items())
    return b"".join(delimited(1, pair) for pair in pairs)


def sampled_answer(source: ReadSource, queries: Sequence[ReadQuery], budget: ReadBudget) -> bytes:
    """A snappy-compressed `ReadResponse`. Raises LimitExceededError over the budget's samples."""
    results = []
    for query in queries:
        selection = source.select(query)
        samples = encode_samples(source.reader.read_samples(selection, query.start_ms, query.end_ms, budget))
        histograms = source.histogram_rows(selection, query, budget)
        series = []
        for place, labels in enumerate(source.labels(selection)):
            points = samples[place] + b"".join(
                delimited(4, _histogram_message(row).SerializeToString()) for row in histograms.get(place, ())
            )
            if points:
                series.append(delimited(1, _label_fields(labels) + points))
        results.append(delimited(1, b"".join(series)))
    return bytes(cramjam.snappy.compress_raw(b"".join(results)))


def _histogram_message(row: HistogramRow) -> Any:
    message = MESSAGES["Histogram"](
        sum=row.total,
        schema=row.schema,
        zero_threshold=row.zero_threshold,
        reset_hint=row.reset_hint,
        timestamp=row.ts_ms,
        custom_values=row.custom_bounds,
    )
    if row.is_float:
        message.count_float, message.zero_count_float = row.observations, row.zero_count
        message.positive_counts.extend(row.positive_counts)
        message.negative_counts.extend(row.negative_counts)
    else:
        message.count_int, message.zero_count_int = int(row.observations), int(row.zero_count)
        message.positive_deltas.extend(to_deltas(row.positive_counts))
        message.negative_deltas.extend(to_deltas(row.negative_counts))
    for offset, length in row.positive_spans:
        message.positive_spans.add(offset=offset, length=length)
    for offset, length in row.negative_spans:
        message.negative_spans.add(offset=offset, length=length)
    return message


def streamed_groups(
    source: ReadSource, queries: Sequence[ReadQuery], budget: ReadBudget, frame_bytes: int
) -> Iterator[bytes]:
    """Frames of all queries, a group of series at a time; samples of earlier groups are given back to the budget."""
    for number, query in enumerate(queries):
        selection = source.select(query)
        for first in range(0, len(selection.refs), _SERIES_PER_GROUP):
            last = min(first + _SERIES_PER_GROUP, len(selection.refs))
            part = part_of(selection, range(first, last))
            used_before = budget.used_samples
            yield _group_frames(source, part, query, number, budget, frame_bytes)
            budget.used_samples = used_before


def _group_frames(
    source: ReadSource, part: Selection, query: ReadQuery, number: int, budget: ReadBudget, frame_bytes: int
) -> bytes:
    chunks = encode_xor_chunks(source.reader.read_samples(part, query.start_ms, query.end_ms, budget))
    by_series = _chunk_fields(chunks)
    for series, rows in source.histogram_rows(part, query, budget).items():
        fields = by_series.setdefault(series, [])
        fields += [(one.min_ms, _chunk_field(*one)) for one in encode_histogram_chunks(rows)]
        fields.sort(key=lambda field: field[0])
    labels = source.labels(part)
    pieces = []
    for series in sorted(by_series):
        for group in _within(frame_bytes, [field for _, field in by_series[series]]):
            message = delimited(1, _label_fields(labels[series]) + b"".join(group))
            if number:
                message += b"\x10" + to_uvarint(number)
            pieces.append(to_frame(message))
    return b"".join(pieces)


def _chunk_field(min_ms: int, max_ms: int, encoding: int, data: bytes) -> bytes:
    times = b"\x08" + to_uvarint(min_ms) + b"\x10" + to_uvarint(max_ms)
    return delimited(2, times + b"\x18" + to_uvarint(encoding) + delimited(4, data))


def _chunk_fields(chunks: Chunks) -> dict[int, list[tuple[int, bytes]]]:
    data = chunks.data.tobytes()
    bounds = chunks.bounds.tolist()
    fields: dict[int, list[tuple[int, bytes]]] = {}
    columns = (chunks.series.tolist(), chunks.min_ms.tolist(), chunks.max_ms.tolist(), chunks.encoding.tolist())
    for place, (series, min_ms, max_ms, encoding) in enumerate(zip(*columns, strict=True)):
        field = _chunk_field(min_ms, max_ms, encoding, data[bounds[place] : bounds[place + 1]])
        fields.setdefault(series, []).append((min_ms, field))
    return fields


def _within(limit: int, fields: Sequence[bytes]) -> Iterator[list[bytes]]:
    """Runs of fields of at most `limit` bytes together (or one field)."""
    group: list[bytes] = []
    size = 0
    for field in fields:
        if group and size + len(field) > limit:
            yield group
            group, size = [], 0
        group.append(field)
        size += len(field)
    if group:
        yield group
