"""An export request's bytes to a batch of spans: scan the outline, walk, mend, spell, settle; refuse by name.

Wire format: https://github.com/open-telemetry/opentelemetry-proto (collector.trace.v1, trace.v1).
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from google.protobuf import descriptor_pool
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.logs import SPAN_ID_BYTES, TRACE_ID_BYTES
from swarmscope.model.spans import Events, Links, Resources, Scopes, SpanBatch
from swarmscope.receivers.otlp.span_columns import EVENTS, LINKS, SPANS, Walked, mend, settle, spell, walk
from swarmscope.receivers.otlp.span_kernel import (
    DROPPED_ATTRIBUTES,
    DROPPED_EVENTS,
    DROPPED_LINKS,
    END_NS,
    EVENTS_BEGIN,
    FLAGS,
    KIND,
    LINKS_BEGIN,
    MESSAGE,
    NAME,
    PARENT,
    SPAN,
    START_NS,
    STATE,
    STATUS,
    TRACE,
    copy_whole_ids,
)
from swarmscope.receivers.otlp.span_resources import PartBook, PartColumns, Span, to_part_columns
from swarmscope.receivers.wire.declared_messages import describe_messages
from swarmscope.receivers.wire.key_hash import derive_secrets, hash_spans, mix_columns
from swarmscope.receivers.wire.log_memory import Claim, claim_nothing, line_bytes, pair_bytes
from swarmscope.receivers.wire.log_pairs import check_count
from swarmscope.receivers.wire.message_schema import MessageSchema
from swarmscope.receivers.wire.scanner import Scan, scan_message
from swarmscope.receivers.wire.text_repair import repair_texts
from swarmscope.receivers.wire.text_tail import TextTail

# The request's outline, with bytes in place of messages that are not the scanner's: spans are walked, resources and
# scopes hashed. On the wire both are the same.
_POOL = descriptor_pool.DescriptorPool()
describe_messages(
    _POOL,
    "outline",
    {
        "ScopeSpans": "scope bytes 1; spans *bytes 2; schema_url bytes 3",
        "ResourceSpans": "resource bytes 1; scope_spans *ScopeSpans 2; schema_url bytes 3",
        "ExportTraceServiceRequest": "resource_spans *ResourceSpans 1",
    },
)
SCHEMA = MessageSchema.from_descriptor(_POOL.FindMessageTypeByName("outline.ExportTraceServiceRequest"))
_PART_PURPOSE, _NAME_PURPOSE = 11, 12  # of the hashes
# Above what honest senders fit into the largest body that is taken.
MAX_SPANS = 1_000_000
# Distinct ones become Python objects, each.
MAX_PARTS = 100_000
_ENTRY_BYTES = 250  # of an event or a link while it is decoded, without attributes
_PART_BYTES = 1500
BAD_TRACE_ID = f"the trace id has not {TRACE_ID_BYTES} bytes, or they are all zero"
BAD_SPAN_ID = f"the span id has not {SPAN_ID_BYTES} bytes, or they are all zero"


@dataclass(slots=True)
class DecodedSpans:
    """A batch, and what of the request is not in it. `n_repaired` texts were not UTF-8 and have U+FFFD now."""

    batch: SpanBatch
    n_spans: int
    n_repaired: int
    refused: dict[str, int]  # reason: spans


class _Parts(NamedTuple):
    """Resources or scopes, each distinct one once."""

    columns: PartColumns
    schema_url: Span
    of_row: NDArray[np.int64]  # [n ResourceSpans or ScopeSpans]


class _Ids(NamedTuple):
    trace_id: NDArray[np.uint8]
    span_id: NDArray[np.uint8]
    has_trace: NDArray[np.bool_]
    has_span: NDArray[np.bool_]


class _Claims:
    """Adds up what decoding takes."""

    def __init__(self, claim: Claim) -> None:
        self._claim = claim
        self._settled = 0

    def settle(self, n_bytes: int) -> None:
        """So much more, until the end."""
        self._settled += n_bytes
        self._claim(self._settled)

    def entries(self, n_pairs: int, n_entries: int) -> None:
        """What a walk has counted."""
        self.settle(pair_bytes(n_pairs) + _ENTRY_BYTES * n_entries)


class TracesDecoder:
    """Decodes export requests; one for all requests of the process, thread-safe."""

    def __init__(self, seed: int | None = None) -> None:
        seed = secrets.randbits(64) if seed is None else seed
        self._seed = seed
        self._part_secrets = derive_secrets(seed, _PART_PURPOSE)
        self._name_secrets = derive_secrets(seed, _NAME_PURPOSE)
        self._resources, self._scopes = PartBook("Resource"), PartBook("InstrumentationScope")

    def decode(self, body: NDArray[np.uint8], tenant: str, claim: Claim = claim_nothing) -> DecodedSpans:
        """Decode one ExportTraceServiceRequest.

        Raises MalformedInputError, and LimitExceededError beyond what is taken. `claim` is told how much memory the
        rest of the decoding may take, and may raise.
        """
        if body.flags.writeable:
            body = body.view()
            body.flags.writeable = False
        scan = scan_message(SCHEMA, body)
        found = scan.repeated_texts("ScopeSpans", "spans")
        claims = _Claims(claim)
        claims.settle(line_bytes(len(body), len(found.texts)))
        check_count(len(found.texts), MAX_SPANS, "spans")
        tail = TextTail(body)
        spans = walk(SPANS, body, _ends(found.texts), claims.entries)
        events = walk(EVENTS, body, (spans.events[0], spans.events[1]), claims.entries)
        links = walk(LINKS, body, (spans.links[0], spans.links[1]), claims.entries)
        n_repaired = sum(mend(body, walked, tail) for walked in (spans, events, links))
        for walked in (spans, events, links):
            spell(walked, tail)
        scopes_found = scan.table("ScopeSpans")
        resources = self._to_parts(scan, ("ResourceSpans", "resource"), self._resources, tail, claims.settle)
        scopes = self._to_parts(scan, ("ScopeSpans", "scope"), self._scopes, tail, claims.settle)
        scope_row = np.repeat(np.arange(len(scopes_found)), np.diff(found.offsets))
        places = (resources.of_row[scopes_found.parent[scope_row]], scopes.of_row[scope_row])
        buffer = tail.joined()
        batch, ids = self._to_batch(buffer, (spans, events, links), (resources, scopes), places, tenant)
        return DecodedSpans(batch, len(found.texts), n_repaired, _drop_refused(batch, ids))

    def _to_parts(
        self, scan: Scan, field: tuple[str, str], book: PartBook, tail: TextTail, settle: Callable[[int], None]
    ) -> _Parts:
        body, table = scan.buffer, scan.table(field[0])
        part_at, url_at = (_spans(table.texts(name)) for name in (field[1], "schema_url"))
        keys, url_keys = (hash_spans(body, *places, self._part_secrets) for places in (part_at, url_at))
        both = mix_columns(np.stack((keys, url_keys)), self._seed)
        _, first, of_row = np.unique(both, return_index=True, return_inverse=True)
        if len(first) > MAX_PARTS:
            raise LimitExceededError(
                f"one request holds {len(first)} different resources or scopes, more than {MAX_PARTS}: "
                "send smaller ones",
                limit="limits.max_body_bytes_decompressed",
                too_large=True,
            )
        settle(_PART_BYTES * len(first))
        urls = url_at[0][first], url_at[1][first]
        repair_texts(body, *urls, tail)
        rows = zip(keys[first].tolist(), part_at[0][first].tolist(), part_at[1][first].tolist(), strict=True)
        columns = to_part_columns([book.part(body, *row) for row in rows], tail)
        return _Parts(columns, Span(*urls), of_row.astype(np.int64, copy=False))

    def _to_batch(
        self, buffer: NDArray[np.uint8], walked: tuple[Walked, Walked, Walked], parts: tuple[_Parts, _Parts],
        places: tuple[NDArray[np.int64], NDArray[np.int64]], tenant: str,
    ) -> tuple[SpanBatch, _Ids]:  # fmt: skip
        spans, events, links = walked
        attributes, of_events, of_links = (settle(buffer, one, self._name_secrets) for one in walked)
        ids = _to_ids(buffer, spans)
        rows = spans.rows
        parent_id = np.zeros((len(ids.has_span), SPAN_ID_BYTES), np.uint8)
        copy_whole_ids(buffer, rows[PARENT], rows[PARENT + 1], parent_id)
        batch = SpanBatch(
            resources=_to_resources(buffer, parts[0]),
            scopes=_to_scopes(buffer, parts[1]),
            resource=places[0],
            scope=places[1],
            trace_id=ids.trace_id,
            span_id=ids.span_id,
            parent_id=parent_id,
            start_ns=rows[START_NS],
            end_ns=rows[END_NS],
            kind=rows[KIND].astype(np.uint8),
            status=rows[STATUS].astype(np.uint8),
            flags=rows[FLAGS].astype(np.uint32),
            dropped_attributes=rows[DROPPED_ATTRIBUTES].astype(np.uint32),
            dropped_events=rows[DROPPED_EVENTS].astype(np.uint32),
            dropped_links=rows[DROPPED_LINKS].astype(np.uint32),
            name=_text(buffer, spans, NAME),
            status_message=_text(buffer, spans, MESSAGE),
            trace_state=_text(buffer, spans, STATE),
            attributes=attributes,
            events=_to_events(buffer, spans, events, of_events),
            links=_to_links(buffer, spans, links, of_links),
            keep=np.zeros(len(ids.has_span), np.uint8),
            share=np.ones(len(ids.has_span), np.float32),
            tenant=tenant,
        )
        return batch, ids


def _spans(texts: Utf8Column) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Starts and lengths, which may be changed."""
    return texts.start.copy(), texts.length.copy()


def _ends(texts: Utf8Column) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return np.ascontiguousarray(texts.start), texts.start + texts.length


def _text(buffer: NDArray[np.uint8], walked: Walked, column: int) -> Utf8Column:
    return Utf8Column(buffer, walked.rows[column], walked.rows[column + 1])


def _to_ids(buffer: NDArray[np.uint8], walked: Walked) -> _Ids:
    """Trace and span ids; what has another length is zeros."""
    rows = walked.rows
    trace_id = np.zeros((rows.shape[1], TRACE_ID_BYTES), np.uint8)
    span_id = np.zeros((rows.shape[1], SPAN_ID_BYTES), np.uint8)
    has_trace = copy_whole_ids(buffer, rows[TRACE], rows[TRACE + 1], trace_id)
    return _Ids(trace_id, span_id, has_trace, copy_whole_ids(buffer, rows[SPAN], rows[SPAN + 1], span_id))


def _to_resources(buffer: NDArray[np.uint8], parts: _Parts) -> Resources:
    columns = parts.columns
    return Resources(columns.to_sets(buffer), parts.schema_url.to_column(buffer), columns.dropped_attributes)


def _to_scopes(buffer: NDArray[np.uint8], parts: _Parts) -> Scopes:
    columns = parts.columns
    return Scopes(
        columns.name.to_column(buffer),
        columns.version.to_column(buffer),
        columns.to_sets(buffer),
        parts.schema_url.to_column(buffer),
        columns.dropped_attributes,
    )


def _to_events(buffer: NDArray[np.uint8], spans: Walked, events: Walked, attributes: AttributeSets) -> Events:
    rows = events.rows
    return Events(
        spans.begins(EVENTS_BEGIN, rows.shape[1]),
        rows[START_NS],
        _text(buffer, events, NAME),
        attributes,
        rows[DROPPED_ATTRIBUTES].astype(np.uint32),
    )


def _to_links(buffer: NDArray[np.uint8], spans: Walked, links: Walked, attributes: AttributeSets) -> Links:
    rows, ids = links.rows, _to_ids(buffer, links)
    return Links(
        spans.begins(LINKS_BEGIN, rows.shape[1]),
        ids.trace_id,
        ids.span_id,
        _text(buffer, links, STATE),
        attributes,
        rows[DROPPED_ATTRIBUTES].astype(np.uint32),
        rows[FLAGS].astype(np.uint32),
    )


def _drop_refused(batch: SpanBatch, ids: _Ids) -> dict[str, int]:
    """Take spans without a valid id out of the batch: why, and how many."""
    valid = ids.has_trace & ids.has_span
    if valid.all():  # Fast path
        return {}
    n_without_trace = int((~ids.has_trace).sum())
    counts = {BAD_TRACE_ID: n_without_trace, BAD_SPAN_ID: int((~valid).sum()) - n_without_trace}
    batch.take(np.flatnonzero(valid))
    return {reason: count for reason, count in counts.items() if count}
