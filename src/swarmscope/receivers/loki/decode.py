"""A push request's bytes to a batch of lines; labels are only read where the stream is not known."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import SeriesIndex
from swarmscope.model.errors import MalformedInputError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import LogBatch
from swarmscope.receivers.loki.entry_kernel import walk_entries
from swarmscope.receivers.loki.json_decode import read_json_push
from swarmscope.receivers.loki.label_text import parse_label_text
from swarmscope.receivers.loki.push_columns import EntryArrays, PairArrays, PushColumns
from swarmscope.receivers.loki.schema import ENTRY_FIELDS, SCHEMA
from swarmscope.receivers.wire.key_hash import derive_secrets, hash_spans
from swarmscope.receivers.wire.log_memory import Claim, claim_nothing, line_bytes, pair_bytes
from swarmscope.receivers.wire.log_pairs import (
    MAX_LINES,
    MAX_PAIRS,
    NO_GROUPS,
    Pairs,
    TypedColumns,
    check_count,
    settle_pairs,
)
from swarmscope.receivers.wire.log_streams import DISCOVER_SERVICE_NAME, resolve_streams, with_service_name
from swarmscope.receivers.wire.scanner import FAULT_TEXTS, scan_message
from swarmscope.receivers.wire.text_tail import TextTail
from swarmscope.receivers.wire.utf8 import invalid_utf8, repair_spans

NO_LABELS = "error at least one label pair is required per stream"
_LABEL_TEXT_PURPOSE = 9  # of the hash of labels
# First guess at how many pairs a body holds; a wrong one costs a second walk.
_PAIR_BYTES, _SPARE_PAIRS = 48, 16


@dataclass(frozen=True, slots=True)
class PushContext:
    """What decoding needs to know beside the bytes. `discover` may be empty: then `service_name` is not set."""

    index: SeriesIndex
    tenant: str
    claim: Claim = claim_nothing  # told how much memory the rest of the decoding may take
    discover: tuple[str, ...] = DISCOVER_SERVICE_NAME


@dataclass(slots=True)
class DecodedPush:
    """A batch, and what of the request is not in it: reason, and how many lines it cost."""

    batch: LogBatch
    n_streams: int
    n_repaired: int
    refused: dict[str, int]


def decode_push(body: NDArray[np.uint8], context: PushContext, *, as_json: bool = False) -> DecodedPush:
    """Decode one push request. Raises MalformedInputError, with the place, for what is none."""
    if as_json:
        return _to_batch(read_json_push(body, context.index.seed, context.claim), context)
    if body.flags.writeable:
        body = body.view()
        body.flags.writeable = False
    return _to_batch(_read_push(body, context), context)


@lru_cache(maxsize=16)
def _secrets(seed: int) -> NDArray[np.uint64]:
    return derive_secrets(seed, _LABEL_TEXT_PURPOSE)


def _read_push(body: NDArray[np.uint8], context: PushContext) -> PushColumns:
    scan = scan_message(SCHEMA, body)
    found = scan.repeated_texts("StreamAdapter", "entries")
    n_lines = len(found.texts)
    check_count(n_lines, MAX_LINES, "lines")
    context.claim(line_bytes(len(body), n_lines))
    start = np.ascontiguousarray(found.texts.start)
    end = start + found.texts.length
    room = len(body) // _PAIR_BYTES + _SPARE_PAIRS
    while True:
        entries, pairs, fault = EntryArrays.zeros(n_lines), PairArrays.empty(room), np.zeros(3, np.int64)
        n_pairs = int(walk_entries(body, start, end, entries, pairs, fault))
        if n_pairs < 0:
            raise _to_error(*fault.tolist())
        check_count(n_pairs, MAX_PAIRS, "metadata pairs")
        if n_pairs <= room:
            break
        room = n_pairs
    labels = scan.table("StreamAdapter").texts("labels")

    def make_labels(stream: int) -> dict[str, str]:
        begin = int(labels.start[stream])
        text = body[begin : begin + int(labels.length[stream])].tobytes()
        return parse_label_text(text.decode(errors="replace"))

    key = hash_spans(
        body, np.ascontiguousarray(labels.start), np.ascontiguousarray(labels.length), _secrets(context.index.seed)
    )
    stream = np.repeat(np.arange(len(found.offsets) - 1), np.diff(found.offsets))
    return PushColumns(body, key, make_labels, stream, entries, pairs.to_pairs(np.append(entries.pairs_begin, n_pairs)))


def _to_error(fault: int, number: int, offset: int) -> MalformedInputError:
    field = f".{ENTRY_FIELDS[number]}" if number in ENTRY_FIELDS else ""
    return MalformedInputError(f"EntryAdapter{field} at byte {offset}: {FAULT_TEXTS[fault]}")


def _to_batch(push: PushColumns, context: PushContext) -> DecodedPush:
    def labels_of(stream: int) -> dict[str, str]:
        labels = push.make_labels(stream)
        if not labels:
            raise ValueError(NO_LABELS)
        return with_service_name(labels, context.discover)

    n_lines, n_pairs = len(push.stream), len(push.pairs.name_start)
    context.claim(line_bytes(len(push.buffer), n_lines) + pair_bytes(n_pairs))
    streams = resolve_streams(context.index, context.tenant, push.stream_key, labels_of)
    tail, entries = TextTail(push.buffer), push.entries
    line, n_repaired = _repaired(Utf8Column(push.buffer, entries.line_start, entries.line_length), tail)
    names, more = _repaired(Utf8Column(push.buffer, push.pairs.name_start, push.pairs.name_length), tail)
    values, most = _repaired(Utf8Column(push.buffer, push.pairs.value_start, push.pairs.value_length), tail)
    buffer = tail.joined()
    own = Pairs(push.pairs.offsets, names.start, names.length, values.start, values.length)
    typed = TypedColumns.empty(n_lines)
    settled = settle_pairs(buffer, own, NO_GROUPS, np.zeros(n_lines, np.int64), typed, context.index.seed)
    batch = LogBatch(
        stream_key=streams.key,
        stream_ref=streams.ref,
        new_labels=streams.new_labels,
        stream=streams.place[push.stream],
        ts_ns=entries.ts_ns,
        line=Utf8Column(buffer, line.start, line.length),
        metadata=settled.to_label_sets(buffer),
        **typed._asdict(),
        tenant=context.tenant,
    )
    return DecodedPush(
        batch, len(push.stream_key), n_repaired + more + most, _drop_refused(batch, push, streams.refused)
    )


def _repaired(column: Utf8Column, tail: TextTail) -> tuple[Utf8Column, int]:
    """Texts that are UTF-8, and how many were not."""
    rows = np.flatnonzero(invalid_utf8(column))
    if not len(rows):
        return column, 0
    start, length = column.start.copy(), column.length.copy()
    text, starts, length[rows] = repair_spans(column.buffer, start[rows], length[rows])
    start[rows] = starts + tail.add(text)
    return Utf8Column(column.buffer, start, length), len(rows)


def _drop_refused(batch: LogBatch, push: PushColumns, refused: dict[int, str]) -> dict[str, int]:
    """Take lines without a stream out of the batch: why, and how many of each reason."""
    if not refused:
        return {}
    reason_of = {int(push.stream_key[stream]): reason for stream, reason in refused.items()}
    lost = push.stream[batch.stream < 0]
    keys, counts = np.unique(push.stream_key[lost], return_counts=True)
    found: dict[str, int] = {}
    for key, count in zip(keys.tolist(), counts.tolist(), strict=True):
        found[reason_of[key]] = found.get(reason_of[key], 0) + count
    batch.take(np.flatnonzero(batch.stream >= 0))
    return found
