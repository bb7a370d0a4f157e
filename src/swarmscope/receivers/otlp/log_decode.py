"""An export request's bytes to a batch of lines: scan, walk, write what is no text as text, share what is shared.

What becomes a stream label and what metadata follows Loki's defaults:
https://grafana.com/docs/loki/latest/send-data/otel/#format-considerations
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from google.protobuf import descriptor_pool
from numpy.typing import NDArray
from opentelemetry.proto.logs.v1 import logs_pb2

from swarmscope.model.contracts import SeriesIndex
from swarmscope.model.errors import MalformedInputError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import LogBatch
from swarmscope.receivers.otlp.log_fields import join_record_fields
from swarmscope.receivers.otlp.log_kernel import (
    BODY,
    BODY_KIND,
    BODY_LENGTH,
    EVENT,
    EVENT_LENGTH,
    KIND,
    N_COLUMNS,
    N_PAIR_ROWS,
    NAME,
    NAME_LENGTH,
    OBSERVED,
    PAIRS_BEGIN,
    SEVERITY,
    SPAN,
    SPAN_LENGTH,
    STRING,
    TEXT,
    TEXT_LENGTH,
    TIME,
    TRACE,
    TRACE_LENGTH,
    VALUE,
    VALUE_LENGTH,
    copy_ids,
    walk_records,
)
from swarmscope.receivers.otlp.log_resources import ResourceBook, ResourceFacts
from swarmscope.receivers.otlp.log_values import ValueColumns, expand_maps, write_values
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.wire.declared_messages import describe_messages
from swarmscope.receivers.wire.key_hash import derive_secrets, hash_spans
from swarmscope.receivers.wire.log_memory import Claim, claim_nothing, line_bytes, pair_bytes
from swarmscope.receivers.wire.log_pairs import MAX_LINES, MAX_PAIRS, Pairs, TypedColumns, check_count, settle_pairs
from swarmscope.receivers.wire.log_streams import Streams, resolve_streams
from swarmscope.receivers.wire.message_schema import MessageSchema
from swarmscope.receivers.wire.scanner import FAULT_TEXTS, Scan, scan_message
from swarmscope.receivers.wire.text_repair import repair_texts
from swarmscope.receivers.wire.text_tail import TextTail

# The request's outline, with bytes in place of messages that are not the scanner's: records are walked, resources and
# scopes hashed. On the wire both are the same.
_POOL = descriptor_pool.DescriptorPool()
describe_messages(
    _POOL,
    "outline",
    {
        "ScopeLogs": "scope bytes 1; log_records *bytes 2",
        "ResourceLogs": "resource bytes 1; scope_logs *ScopeLogs 2",
        "ExportLogsServiceRequest": "resource_logs *ResourceLogs 1",
    },
)
SCHEMA = MessageSchema.from_descriptor(_POOL.FindMessageTypeByName("outline.ExportLogsServiceRequest"))
_PART_PURPOSE = 7  # of the hash of resources and scopes
# First guess at how many pairs a body holds; a wrong one costs a second walk.
_PAIR_BYTES, _SPARE_PAIRS = 24, 16


@dataclass(slots=True)
class DecodedLogs:
    """A batch, and what of the request is not in it. `n_repaired` texts were not UTF-8 and have U+FFFD now."""

    batch: LogBatch
    n_records: int
    n_repaired: int
    refused: dict[str, int]  # reason: records


class _Groups(NamedTuple):
    """What scopes share: `of_scope` [n ScopeLogs] is the row of `pairs`."""

    pairs: Pairs
    of_scope: NDArray[np.int64]
    streams: Streams
    source_of_scope: NDArray[np.int64]  # position in `streams.place`


class LogsDecoder:
    """Decodes export requests; one for all requests of the process, thread-safe."""

    def __init__(self, settings: OtlpSettings, index: SeriesIndex, now_ns: Callable[[], int]) -> None:
        self._index = index
        self._now_ns = now_ns
        self._secrets = derive_secrets(index.seed, _PART_PURPOSE)
        self._book = ResourceBook(settings, index.seed)

    def decode(self, body: NDArray[np.uint8], tenant: str, claim: Claim = claim_nothing) -> DecodedLogs:
        """Decode one ExportLogsServiceRequest. Raises MalformedInputError, and LimitExceededError beyond what is taken.

        `claim` is told how much memory the rest of the decoding may take, and may raise.
        """
        if body.flags.writeable:
            body = body.view()
            body.flags.writeable = False
        scan = scan_message(SCHEMA, body)
        records = scan.repeated_texts("ScopeLogs", "log_records")
        claim(line_bytes(len(body), len(records.texts)))
        check_count(len(records.texts), MAX_LINES, "log records")
        rows, pairs, offsets = _walk(records.texts)
        tail = TextTail(body)
        pairs, offsets = expand_maps(body, pairs, offsets, tail)
        line = ValueColumns(*(np.ascontiguousarray(rows[:, column]) for column in (BODY_KIND, BODY, BODY_LENGTH)))
        n_repaired = _repair(body, rows, pairs, line, tail)
        write_values(body, line, tail)
        write_values(body, ValueColumns(pairs[KIND], pairs[VALUE], pairs[VALUE_LENGTH]), tail)
        own = join_record_fields(rows, pairs, offsets, tail)
        groups = self._to_groups(scan, tenant, tail)
        typed = _to_typed(body, rows)
        scope = np.repeat(np.arange(len(records.offsets) - 1), np.diff(records.offsets))
        n_shared = int(np.diff(groups.pairs.offsets)[groups.of_scope[scope]].sum())
        claim(line_bytes(len(body), len(rows)) + pair_bytes(min(len(own.name_start) + n_shared, MAX_PAIRS)))
        buffer = tail.joined()
        settled = settle_pairs(buffer, own, groups.pairs, groups.of_scope[scope], typed, self._index.seed)
        batch = LogBatch(
            stream_key=groups.streams.key,
            stream_ref=groups.streams.ref,
            new_labels=groups.streams.new_labels,
            stream=groups.streams.place[groups.source_of_scope[scope]],
            ts_ns=self._to_times(rows),
            line=Utf8Column(buffer, line.start, line.length),
            metadata=settled.to_label_sets(buffer),
            **typed._asdict(),
            tenant=tenant,
        )
        return DecodedLogs(batch, len(rows), n_repaired, _drop_refused(batch, groups.streams))

    def _to_times(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """When it happened, else when it was observed, else now."""
        times = np.where(rows[:, TIME] != 0, rows[:, TIME], rows[:, OBSERVED])
        times[times == 0] = self._now_ns()
        return times

    def _to_groups(self, scan: Scan, tenant: str, tail: TextTail) -> _Groups:
        body, scopes = scan.buffer, scan.table("ScopeLogs")
        resource_at = _spans(scan.table("ResourceLogs").texts("resource"))
        scope_at = _spans(scopes.texts("scope"))
        resource_keys = hash_spans(body, *resource_at, self._secrets).tolist()
        scope_keys = hash_spans(body, *scope_at, self._secrets).tolist()
        spans = zip(resource_at[0].tolist(), resource_at[1].tolist(), strict=True)
        facts = [self._book.resource(body, key, span) for key, span in zip(resource_keys, spans, strict=True)]
        of_scope = np.empty(len(scopes), np.int64)
        names: list[bytes] = []
        values: list[bytes] = []
        offsets = [0]
        known: dict[tuple[int, int], int] = {}
        rows = zip(scopes.parent.tolist(), scope_keys, scope_at[0].tolist(), scope_at[1].tolist(), strict=True)
        for row, (parent, key, start, length) in enumerate(rows):
            keys = (resource_keys[parent], key)
            group = known.setdefault(keys, len(known))
            of_scope[row] = group
            if group == len(offsets) - 1:
                shared = self._book.shared(body, facts[parent], keys, (start, length))
                names.extend(shared.names)
                values.extend(shared.values)
                offsets.append(len(names))
        pairs = Pairs(np.array(offsets, np.int64), *tail.add_texts(names), *tail.add_texts(values))
        stream_keys = np.array([fact.stream_key for fact in facts], np.uint64)
        streams = resolve_streams(self._index, tenant, stream_keys, lambda source: _stream_labels(facts[source]))
        return _Groups(pairs, of_scope, streams, np.ascontiguousarray(scopes.parent))


def _stream_labels(facts: ResourceFacts) -> dict[str, str]:
    if not facts.labels:
        raise ValueError("the resource has no attribute that names a stream, and services are not discovered")
    return facts.labels


def _spans(texts: Utf8Column) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.ascontiguousarray(texts.start), np.ascontiguousarray(texts.length)


def _walk(records: Utf8Column) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Rows of records [n, N_COLUMNS], their attributes [N_PAIR_ROWS, n_pairs] and offsets [n + 1] of these."""
    start, length = _spans(records)
    room = len(records.buffer) // _PAIR_BYTES + _SPARE_PAIRS
    while True:
        rows = np.zeros((len(records), N_COLUMNS), np.int64)
        pairs, fault = np.empty((N_PAIR_ROWS, room), np.int64), np.zeros(3, np.int64)
        n_pairs = int(walk_records(records.buffer, start, start + length, rows, pairs, fault))
        if n_pairs < 0:
            raise _to_error(*fault.tolist())
        check_count(n_pairs, MAX_PAIRS, "attributes")
        if n_pairs <= room:
            return rows, pairs[:, :n_pairs], np.append(rows[:, PAIRS_BEGIN], n_pairs)
        room = n_pairs


def _to_error(fault: int, number: int, offset: int) -> MalformedInputError:
    fields: Any = logs_pb2.LogRecord.DESCRIPTOR.fields_by_number
    place = f"LogRecord.{fields[number].name}" if number in fields else "LogRecord"
    return MalformedInputError(f"{place} at byte {offset}: {FAULT_TEXTS[fault]}")


def _repair(
    body: NDArray[np.uint8], rows: NDArray[np.int64], pairs: NDArray[np.int64], line: ValueColumns, tail: TextTail
) -> int:
    """Make every text of the records UTF-8; how many were not. What stands behind the body already is."""
    n_repaired = 0
    mine = pairs[NAME] < len(body)
    n_repaired += _repair_rows(body, (pairs[NAME], pairs[NAME_LENGTH]), mine, tail)
    n_repaired += _repair_rows(body, (pairs[VALUE], pairs[VALUE_LENGTH]), mine & (pairs[KIND] == STRING), tail)
    n_repaired += _repair_rows(body, (line.start, line.length), line.kind == STRING, tail)
    for start, length in ((TEXT, TEXT_LENGTH), (EVENT, EVENT_LENGTH)):
        columns = np.ascontiguousarray(rows[:, start]), np.ascontiguousarray(rows[:, length])
        n_found = repair_texts(body, *columns, tail)
        if n_found:
            rows[:, start], rows[:, length] = columns
        n_repaired += n_found
    return n_repaired


def _repair_rows(
    body: NDArray[np.uint8], texts: tuple[NDArray[np.int64], NDArray[np.int64]], chosen: NDArray[np.bool_],
    tail: TextTail,
) -> int:  # fmt: skip
    """Repair the chosen ones of some texts (starts, lengths)."""
    if chosen.all():  # Fast path
        return repair_texts(body, *texts, tail)
    start, length = texts[0][chosen], texts[1][chosen]
    n_repaired = repair_texts(body, start, length, tail)
    if n_repaired:
        texts[0][chosen], texts[1][chosen] = start, length
    return n_repaired


def _to_typed(body: NDArray[np.uint8], rows: NDArray[np.int64]) -> TypedColumns:
    typed = TypedColumns.empty(len(rows))
    typed.severity[:] = rows[:, SEVERITY]
    typed.observed_ns[:] = rows[:, OBSERVED]
    for start, length, ids in ((TRACE, TRACE_LENGTH, typed.trace_id), (SPAN, SPAN_LENGTH, typed.span_id)):
        copy_ids(body, np.ascontiguousarray(rows[:, start]), np.ascontiguousarray(rows[:, length]), ids)
    return typed


def _drop_refused(batch: LogBatch, streams: Streams) -> dict[str, int]:
    """Take lines without a stream out of the batch: why, and how many."""
    if not streams.refused:
        return {}
    kept = np.flatnonzero(batch.stream >= 0)
    n_refused = len(batch) - len(kept)
    batch.take(kept)
    return {next(iter(streams.refused.values())): n_refused} if n_refused else {}
