"""Batches of lines from plain Python, and everything that a reader gives back as plain Python."""

from __future__ import annotations

import numpy as np

from swarmscope.model.labels import LabelSets, Utf8Column
from swarmscope.model.logs import LENGTH_BYTES, LineRequest, LogBatch
from swarmscope.model.metrics import UNKNOWN_SERIES
from tests.store.embedded.conftest import budget

EVER = (0, 1 << 62)
T_NS = 1_780_000_000_000_000_000  # in 2026, where every day is a partition
S = 1_000_000_000


def entry(labels, ts_ns, line, metadata=None, **more):
    """One line; `more`: level, severity, observed_ns, trace_id and span_id (bytes)."""
    return {"labels": labels, "ts_ns": ts_ns, "line": line, "metadata": metadata or {}, **more}


def log_batch(entries, tenant="default"):
    """Entries as one batch of unknown streams."""
    keys = list(dict.fromkeys(tuple(sorted(each["labels"].items())) for each in entries))
    place = {key: i for i, key in enumerate(keys)}
    lines = [each["line"] if isinstance(each["line"], bytes) else each["line"].encode() for each in entries]
    length = np.array([len(line) for line in lines], np.int64)

    def column(name, dtype):
        return np.array([each.get(name, 0) for each in entries], dtype)

    def ids(name, width):
        return np.array([list(each.get(name, bytes(width))) for each in entries], np.uint8).reshape(len(entries), width)

    return LogBatch(
        stream_key=np.array([hash(key) & 0xFFFFFFFFFFFFFFFF for key in keys], np.uint64),
        stream_ref=np.full(len(keys), UNKNOWN_SERIES, np.int64),
        new_labels=LabelSets.from_dicts([dict(key) for key in keys]),
        stream=np.array([place[tuple(sorted(each["labels"].items()))] for each in entries], np.int64),
        ts_ns=column("ts_ns", np.int64),
        line=Utf8Column(np.frombuffer(b"".join(lines), np.uint8), np.cumsum(length) - length, length),
        metadata=LabelSets.from_dicts([each["metadata"] for each in entries]),
        level=column("level", np.uint8),
        severity=column("severity", np.uint8),
        observed_ns=column("observed_ns", np.int64),
        trace_id=ids("trace_id", 16),
        span_id=ids("span_id", 8),
        tenant=tenant,
    )


def unpacked(data):
    """The values of packed metadata."""
    values = []
    at = 0
    while at < len(data):
        size = int.from_bytes(data[at : at + LENGTH_BYTES], "little")
        values.append(data[at + LENGTH_BYTES : at + LENGTH_BYTES + size].decode())
        at += LENGTH_BYTES + size
    return values


def _bytes(column, i):
    return column.buffer[int(column.start[i]) : int(column.start[i] + column.length[i])].tobytes()


def labels_at(reader, selection, position):
    """The labels of a stream of a selection."""
    codes = selection.labels.codes[:, position]
    return {n: reader.symbols.text(int(c)) for n, c in zip(selection.labels.names, codes, strict=True) if c >= 0}


def entries_of(reader, selection, rows):
    """Rows as entries, in their order."""
    found = []
    for i in range(len(rows)):
        line = _bytes(rows.line, i)
        names = reader.shape_names(int(rows.shape[i]))
        values = unpacked(_bytes(rows.metadata, i))
        found.append(
            entry(
                labels_at(reader, selection, int(rows.stream[i])),
                int(rows.ts_ns[i]),
                line.decode(),
                dict(zip(names, values, strict=True)),
                level=int(rows.level[i]),
                severity=int(rows.severity[i]),
                observed_ns=int(rows.observed_ns[i]),
                trace_id=rows.trace_id[i].tobytes(),
                span_id=rows.span_id[i].tobytes(),
            )
        )
    return found


def scanned(store, matchers=(), request=None, tenant="default"):
    """All entries that a scan gives, sorted by labels, time and line."""
    reader = store.log_reader
    selection = reader.select_streams(tenant, list(matchers), *EVER)
    found = []
    for rows in reader.scan_lines(selection, request or LineRequest(*EVER), budget()):
        found += entries_of(reader, selection, rows)
    return in_order(found)


def in_order(entries):
    """Sorted by labels, time and line, every field told."""
    full = [
        entry(each["labels"], each["ts_ns"], each["line"], each["metadata"],
              level=each.get("level", 0), severity=each.get("severity", 0), observed_ns=each.get("observed_ns", 0),
              trace_id=each.get("trace_id", bytes(16)), span_id=each.get("span_id", bytes(8)))
        for each in entries
    ]  # fmt: skip
    return sorted(full, key=lambda each: (sorted(each["labels"].items()), each["ts_ns"], each["line"], str(each)))


def walked(store, matchers=(), request=None, *, backward, batch_lines=1000):
    """Batches of (ts_ns, line) in the order in which a walk gives them, each batch sorted by time."""
    reader = store.log_reader
    selection = reader.select_streams("default", list(matchers), *EVER)
    batches = []
    for rows in reader.walk_lines(
        selection, request or LineRequest(*EVER), budget(), backward=backward, batch_lines=batch_lines
    ):
        batches.append(sorted((int(rows.ts_ns[i]), _bytes(rows.line, i).decode()) for i in range(len(rows))))
    return batches
