"""The sink that redacts spans: attributes of every scope and all other texts, before anything is derived."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from opentelemetry.proto.common.v1 import common_pb2

from swarmscope.ingest.redaction.redactor import Hit, Redactor
from swarmscope.instrument.metrics import REDACTIONS
from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind, bytes_column
from swarmscope.model.contracts import Receipt, SpanSink
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import SpanBatch

# What the field `kvlist_value` of an AnyValue begins with; texts may have the byte too, which costs time alone.
_MAP_TAG = b"\x32"
_MESSAGES = {ValueKind.ARRAY: common_pb2.ArrayValue, ValueKind.MAP: common_pb2.KeyValueList}


class RedactingSpanSink:
    """Redacts every text that a span brings, those inside arrays and maps too. Thread-safe.

    An attribute in which something is found whose action is `drop` goes; names, messages and trace states are masked
    instead.
    """

    def __init__(self, inner: SpanSink, redactor: Redactor) -> None:
        self._inner = inner
        self._redactor = redactor

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """As `SpanSink.write_spans`."""
        hits: Counter[Hit] = Counter()
        batch.name = self._text(batch.name, hits)
        batch.status_message = self._text(batch.status_message, hits)
        if batch.trace_state.length.any():
            batch.trace_state = self._text(batch.trace_state, hits)
        batch.attributes = self._sets(batch.attributes, hits)
        batch.resources = replace(batch.resources, attributes=self._sets(batch.resources.attributes, hits))
        batch.scopes = replace(batch.scopes, attributes=self._sets(batch.scopes.attributes, hits))
        if len(batch.events.ts_ns):
            batch.events = replace(
                batch.events,
                name=self._text(batch.events.name, hits),
                attributes=self._sets(batch.events.attributes, hits),
            )
        if len(batch.links.flags):
            batch.links = replace(
                batch.links,
                trace_state=self._text(batch.links.trace_state, hits),
                attributes=self._sets(batch.links.attributes, hits),
            )
        for (detector, action), count in hits.items():
            REDACTIONS.labels(detector=detector, action=action.value).inc(count)
        return self._inner.write_spans(batch)

    def _text(self, column: Utf8Column, hits: Counter[Hit]) -> Utf8Column:
        redacted = self._redactor.redact(column, may_drop=False)
        hits.update(redacted.hits)
        return redacted.column

    def _sets(self, sets: AttributeSets, hits: Counter[Hit]) -> AttributeSets:
        kind = sets.values.kind
        is_text = kind == ValueKind.STRING
        dropped = np.zeros(0, np.int64)
        if is_text.all():  # Fast path
            redacted = self._redactor.redact(sets.values.text, sets.names)
            hits.update(redacted.hits)
            sets, dropped = replace(sets, values=ValueColumn(kind, redacted.column)), redacted.dropped
        elif is_text.any():
            rows = np.flatnonzero(is_text)
            redacted = self._redactor.redact(sets.values.text.take(rows), sets.names.take(rows))
            hits.update(redacted.hits)
            sets, dropped = _with_texts(sets, rows, redacted.column), rows[redacted.dropped]
        nested = np.flatnonzero((kind == ValueKind.ARRAY) | (kind == ValueKind.MAP))
        if len(nested):
            sets = self._nested(sets, nested, hits)
        return sets.without(dropped)

    def _nested(self, sets: AttributeSets, rows: NDArray[np.int64], hits: Counter[Hit]) -> AttributeSets:
        """Redact texts inside arrays and maps.

        Arrays of plain values are taken apart only where something is found in their bytes; inside a map the name of
        a value may be what tells.
        """
        names, texts = sets.names.take(rows), sets.values.text.take(rows)
        found = self._redactor.redact(texts, names, may_drop=False).column
        changed = [
            row
            for row, text in enumerate(_bytes(texts, row) for row in range(len(rows)))
            if sets.values.kind[rows[row]] == ValueKind.MAP or _MAP_TAG in text or _bytes(found, row) != text
        ]
        if not changed:
            return sets
        # Slow path
        written = []
        for row in changed:
            message = _MESSAGES[ValueKind(int(sets.values.kind[rows[row]]))]()
            try:
                message.ParseFromString(_bytes(texts, row))
            except DecodeError:
                # Nobody can read it, so nobody can say what is in it.
                written.append(b"")
                continue
            self._message(message, names.text(row), hits)
            written.append(message.SerializeToString())
        return _with_texts(sets, rows[np.array(changed, np.int64)], bytes_column(written))

    def _message(self, message: common_pb2.ArrayValue | common_pb2.KeyValueList, name: str, hits: Counter[Hit]) -> None:
        """Redact the texts of a message in place; elements of an array go by the array's name."""
        waiting: list[tuple[str, common_pb2.AnyValue]] = []

        def open_up(name: str, message: common_pb2.ArrayValue | common_pb2.KeyValueList) -> None:
            if isinstance(message, common_pb2.ArrayValue):
                waiting.extend((name, value) for value in message.values)
            else:
                waiting.extend((pair.key, pair.value) for pair in message.values)

        open_up(name, message)
        owners: list[common_pb2.AnyValue] = []
        texts: list[tuple[str, str]] = []
        while waiting:
            inner_name, value = waiting.pop()
            match value.WhichOneof("value"):
                case "string_value":
                    owners.append(value)
                    texts.append((inner_name, value.string_value))
                case "array_value":
                    open_up(inner_name, value.array_value)
                case "kvlist_value":
                    open_up(inner_name, value.kvlist_value)
        columns = [Utf8Column.from_strings(list(column)) for column in zip(*texts, strict=True)]
        if not columns:
            return
        redacted = self._redactor.redact(columns[1], columns[0], may_drop=False)
        hits.update(redacted.hits)
        for owner, text in zip(owners, redacted.column.to_strings(), strict=True):
            owner.string_value = text


def _bytes(column: Utf8Column, row: int) -> bytes:
    begin = int(column.start[row])
    return column.buffer[begin : begin + int(column.length[row])].tobytes()


def _with_texts(sets: AttributeSets, rows: NDArray[np.int64], texts: Utf8Column) -> AttributeSets:
    """The same sets with other bytes for the values of the pairs `rows` [k], in a buffer without the old ones."""
    old = sets.values.text
    if texts.buffer is old.buffer:
        return sets
    start, length = old.start.copy(), old.length.copy()
    start[rows], length[rows] = texts.start + len(old.buffer), texts.length
    joined = Utf8Column(np.concatenate([old.buffer, texts.buffer]), start, length)
    return replace(sets, values=ValueColumn(sets.values.kind, joined.compact()))
