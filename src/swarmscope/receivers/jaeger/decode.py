"""A Thrift Batch's bytes to a batch of spans: scan, spell, read the tags; spans without valid ids are refused by name.

Wire format: https://github.com/jaegertracing/jaeger-idl/blob/main/thrift/jaeger.thrift; the mapping is told in
`model/jaeger_conventions.py`.
"""

from __future__ import annotations

import secrets
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.model import jaeger_conventions as conventions
from swarmscope.model.attributes import AttributeSets, Scalar, ValueColumn, ValueKind
from swarmscope.model.errors import MalformedInputError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import Events, Links, Resources, SpanBatch
from swarmscope.receivers.jaeger.schema import CHILD_OF, FOLLOWS_FROM, SCHEMA
from swarmscope.receivers.jaeger.tag_columns import TagColumns, spell_tags
from swarmscope.receivers.wire.attribute_names import settle_names
from swarmscope.receivers.wire.key_hash import derive_secrets
from swarmscope.receivers.wire.log_memory import Claim, claim_nothing, line_bytes, pair_bytes
from swarmscope.receivers.wire.log_pairs import MAX_PAIRS, check_count
from swarmscope.receivers.wire.span_push import PushedSpans
from swarmscope.receivers.wire.span_tags import read_tags
from swarmscope.receivers.wire.text_repair import repair_texts
from swarmscope.receivers.wire.text_tail import TextTail
from swarmscope.receivers.wire.thrift_scanner import Spans, ThriftScan, scan_struct

MAX_SPANS, MAX_ENTRIES = 1_000_000, 2_000_000  # above what honest senders fit into the largest body
NO_TRACE_ID, NO_SPAN_ID = "the trace id is zero", "the span id is zero"
_NAME_PURPOSE = 14  # of the hash of attributes' names
_NS_PER_US = 1000
_MAX_US = (1 << 63) // _NS_PER_US - 1


class _Texts:
    """What the mapping itself adds, behind the body: texts (start, length), and the flags of all spans."""

    def __init__(self, tail: TextTail, flags: NDArray[np.int64]) -> None:
        self.flags_at = tail.add(np.ascontiguousarray(flags).view(np.uint8))
        self.flags, self.ref_type, self.child_of, self.follows_from = (
            (tail.add(text.encode()), len(text))
            for text in (conventions.FLAGS, conventions.REF_TYPE, conventions.CHILD_OF, conventions.FOLLOWS_FROM)
        )


class _Source(NamedTuple):
    """A scanned request, its texts mended and spelled; all stand in one buffer."""

    scan: ThriftScan
    buffer: NDArray[np.uint8]
    columns: TagColumns
    texts: _Texts
    name: Utf8Column  # [n_spans]


class BatchDecoder:
    """Decodes batches; one for all requests of the process, thread-safe."""

    def __init__(self, seed: int | None = None) -> None:
        self._seed = secrets.randbits(64) if seed is None else seed
        self._secrets = derive_secrets(self._seed, _NAME_PURPOSE)

    def decode(
        self, body: NDArray[np.uint8], tenant: str, claim: Claim = claim_nothing, *,
        compact: bool, spans: Spans | None = None, root: str = "Batch",
    ) -> PushedSpans:  # fmt: skip
        """Decode a body that is the struct `root`, or holds several at `spans` (starts, ends).

        Raises MalformedInputError, and LimitExceededError beyond what is taken. `claim` is told how much memory the
        decoding may take, and may raise.
        """
        body = body.view()
        body.flags.writeable = False

        def claim_rows(counts: dict[str, int]) -> None:
            check_count(counts["Span"], MAX_SPANS, "spans")
            check_count(counts["Tag"], MAX_PAIRS, "tags")
            check_count(counts["Log"] + counts["SpanRef"], MAX_ENTRIES, "logs and references")
            n_rows = counts["Span"] + counts["Log"] + counts["SpanRef"]
            claim(line_bytes(len(body), n_rows) + pair_bytes(counts["Tag"]))

        scan = scan_struct(SCHEMA, root, body, compact=compact, spans=spans, claim_rows=claim_rows)
        if not np.diff(scan.children("Batch", "process").offsets).all():
            raise MalformedInputError("Batch.process is missing")
        tail = TextTail(body)
        columns = spell_tags(body, scan.table("Tag"), tail)
        texts = _Texts(tail, scan.table("Span").ints("flags"))
        names, n_repaired = _mend(body, scan.table("Span").texts("operationName"), tail)
        buffer = tail.joined()
        source = _Source(scan, buffer, columns, texts, Utf8Column(buffer, *names))
        batch = self._to_batch(source, tenant)
        return PushedSpans(batch, columns.n_repaired + n_repaired, _drop_refused(batch))

    def _to_sets(self, source: _Source, struct: str, field: str) -> AttributeSets:
        """The tags in a field, by row of the struct."""
        children = source.scan.children(struct, field)
        return settle_names(source.columns.to_sets(source.buffer, children), self._secrets)

    def _to_batch(self, source: _Source, tenant: str) -> SpanBatch:
        spans = source.scan.table("Span")
        n, flags = spans.n_rows, spans.ints("flags")
        sets = _with_flags(self._to_sets(source, "Span", "tags"), flags, source.texts)
        told = read_tags(sets, np.zeros(n, np.uint8), self._seed, error_holds_message=False)
        trace_id = _trace_ids(spans.ints("traceIdHigh"), spans.ints("traceIdLow"))
        parent, links = _to_links(source, trace_id)
        start_ns = np.clip(spans.ints("startTime"), -_MAX_US, _MAX_US) * _NS_PER_US
        duration_ns = np.clip(spans.ints("duration"), -_MAX_US, _MAX_US) * _NS_PER_US
        return SpanBatch(
            resources=self._to_resources(source),
            scopes=told.scopes,
            resource=spans.parent.copy(),
            scope=told.scope,
            trace_id=trace_id,
            span_id=_to_ids(spans.ints("spanId")),
            parent_id=_to_ids(parent),
            start_ns=start_ns,
            end_ns=_end(start_ns, duration_ns),
            kind=told.kind,
            status=told.status,
            flags=(flags & conventions.SAMPLED).astype(np.uint32),
            dropped_attributes=told.dropped_attributes,
            dropped_events=told.dropped_events,
            dropped_links=told.dropped_links,
            name=source.name,
            status_message=told.status_message,
            trace_state=told.trace_state,
            attributes=told.attributes,
            events=self._to_events(source),
            links=links,
            keep=np.zeros(n, np.uint8),
            share=np.ones(n, np.float32),
            tenant=tenant,
        )

    def _to_resources(self, source: _Source) -> Resources:
        """A resource for each Batch."""
        scan, buffer = source.scan, source.buffer
        processes = scan.children("Batch", "process")
        rows = processes.rows[processes.offsets[1:] - 1]  # of a field that stands twice the last counts
        names = scan.table("Process").texts("serviceName").take(rows)
        told = self._to_sets(source, "Process", "tags").take(rows).to_dicts()
        sets: list[dict[str, Scalar]] = []
        for row, (start, length) in enumerate(zip(names.start.tolist(), names.length.tolist(), strict=True)):
            service = buffer[start : start + length].tobytes().decode(errors="replace")
            found: dict[str, Scalar] = {conventions.SERVICE_NAME: service} if service else {}
            sets.append(found | {name: value for name, value in told[row].items() if name not in found})
        n = len(sets)
        nothing = Utf8Column.from_strings([""] * n)
        return Resources(AttributeSets.from_dicts(sets), nothing, np.zeros(n, np.uint32))

    def _to_events(self, source: _Source) -> Events:
        logs, of_span = source.scan.table("Log"), source.scan.children("Span", "logs")
        fields = self._to_sets(source, "Log", "fields")
        name, used = _event_names(fields, logs.n_rows)
        ts_ns = np.clip(logs.ints("timestamp"), -_MAX_US, _MAX_US) * _NS_PER_US
        n = len(of_span.rows)
        return Events(
            of_span.offsets, ts_ns[of_span.rows], name.take(of_span.rows),
            fields.without(used).take(of_span.rows), np.zeros(n, np.uint32),
        )  # fmt: skip


def _to_links(source: _Source, trace_id: NDArray[np.uint8]) -> tuple[NDArray[np.int64], Links]:
    """Parents [n], and the references that are none."""
    scan, texts = source.scan, source.texts
    spans, references, found = scan.table("Span"), scan.table("SpanRef"), scan.children("Span", "references")
    parent, n = spans.ints("parentSpanId"), spans.n_rows
    if not len(found.rows):  # Fast path
        return parent, Links.empty(n)
    of_span = np.repeat(np.arange(n), np.diff(found.offsets))
    ref_type, span_id = references.ints("refType")[found.rows], references.ints("spanId")[found.rows]
    ids = _trace_ids(references.ints("traceIdHigh"), references.ints("traceIdLow"))[found.rows]
    is_child = (ref_type == CHILD_OF) & (span_id != 0) & (ids == trace_id[of_span]).all(axis=1)
    parent = _first_child_of(parent, of_span[is_child], span_id[is_child])
    kept = ~(is_child & (span_id == parent[of_span]))
    rows = np.flatnonzero(kept)
    known = np.flatnonzero((ref_type[rows] == CHILD_OF) | (ref_type[rows] == FOLLOWS_FROM))
    values = np.where((ref_type[rows][known] == CHILD_OF)[:, None], [texts.child_of], [texts.follows_from])
    n_pairs = len(known)
    has_type = np.zeros(len(rows), np.int64)
    has_type[known] = 1
    names = np.full(n_pairs, texts.ref_type[0]), np.full(n_pairs, texts.ref_type[1])
    text = Utf8Column(source.buffer, np.ascontiguousarray(values[:, 0]), np.ascontiguousarray(values[:, 1]))
    attributes = AttributeSets(
        _offsets(has_type), Utf8Column(source.buffer, *names), ValueColumn(_full_kind(n_pairs, ValueKind.STRING), text)
    )
    nothing = np.zeros(len(rows), np.int64)
    links = Links(
        _offsets(np.bincount(of_span[rows], minlength=n)), ids[rows], _to_ids(span_id[rows]),
        Utf8Column(np.zeros(0, np.uint8), nothing, nothing), attributes, nothing.astype(np.uint32),
        nothing.astype(np.uint32),
    )  # fmt: skip
    return parent, links


def _offsets(counts: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)))


def _full_kind(n: int, kind: ValueKind) -> NDArray[np.uint8]:
    return np.full(n, int(kind), np.uint8)


def _mend(
    body: NDArray[np.uint8], names: Utf8Column, tail: TextTail
) -> tuple[tuple[NDArray[np.int64], NDArray[np.int64]], int]:
    start, length = names.start.copy(), names.length.copy()
    return (start, length), repair_texts(body, start, length, tail)


def _to_ids(numbers: NDArray[np.int64]) -> NDArray[np.uint8]:
    """Numbers [n] as their eight bytes [n, 8], the highest first."""
    return np.ascontiguousarray(numbers).astype(">i8").view(np.uint8).reshape(-1, 8)


def _trace_ids(high: NDArray[np.int64], low: NDArray[np.int64]) -> NDArray[np.uint8]:
    return np.hstack((_to_ids(high), _to_ids(low)))


def _end(start_ns: NDArray[np.int64], duration_ns: NDArray[np.int64]) -> NDArray[np.int64]:
    """Start plus duration [n]; where that is more than 64 bits hold, the utmost."""
    end = start_ns + duration_ns
    past = (duration_ns > 0) & (end < start_ns)
    before = (duration_ns < 0) & (end > start_ns)
    return np.where(past, np.iinfo(np.int64).max, np.where(before, np.iinfo(np.int64).min, end))


def _first_child_of(
    parent: NDArray[np.int64], of_span: NDArray[np.int64], span_id: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Parents [n]; spans that name none have the first of their references (span, id by reference)."""
    spans, first = np.unique(of_span, return_index=True)
    referred = np.zeros(len(parent), np.int64)
    referred[spans] = span_id[first]
    return np.where(parent == 0, referred, parent)


def _with_flags(sets: AttributeSets, flags: NDArray[np.int64], texts: _Texts) -> AttributeSets:
    """The sets, with all flags of spans that have more of them than SAMPLED."""
    rows = np.flatnonzero((flags & ~conventions.SAMPLED) != 0)
    if not len(rows):  # Fast path
        return sets
    at = sets.offsets[rows + 1]
    more = np.zeros(len(flags), np.int64)
    more[rows] = 1
    names, text = sets.names, sets.values.text
    new_names = Utf8Column(
        names.buffer, np.insert(names.start, at, texts.flags[0]), np.insert(names.length, at, texts.flags[1])
    )
    new_text = Utf8Column(
        text.buffer, np.insert(text.start, at, texts.flags_at + 8 * rows), np.insert(text.length, at, 8)
    )
    kinds = np.insert(sets.values.kind, at, int(ValueKind.INT))
    return AttributeSets(sets.offsets + _offsets(more), new_names, ValueColumn(kinds, new_text))


def _event_names(fields: AttributeSets, n: int) -> tuple[Utf8Column, NDArray[np.int64]]:
    """Names of n events, and the fields that are gone for it."""
    if not len(fields.values):
        return Utf8Column(np.zeros(0, np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int64)), np.zeros(0, np.int64)
    at, second_at = fields.find(conventions.EVENT_NAME), fields.find(conventions.EVENT_MESSAGE)
    kinds, text = fields.values.kind, fields.values.text
    is_event = (at >= 0) & (kinds[at] == ValueKind.STRING)
    is_message = ~is_event & (second_at >= 0) & (kinds[second_at] == ValueKind.STRING)
    pair = np.where(is_event, at, np.where(is_message, second_at, 0))
    length = np.where(is_event | is_message, text.length[pair], 0)
    return Utf8Column(text.buffer, text.start[pair], length), at[is_event]


def _drop_refused(batch: SpanBatch) -> dict[str, int]:
    """Take spans without a valid id out of the batch: why, and how many."""
    has_trace, has_span = batch.trace_id.any(axis=1), batch.span_id.any(axis=1)
    valid = has_trace & has_span
    if valid.all():  # Fast path
        return {}
    n_without_trace = int((~has_trace).sum())
    counts = {NO_TRACE_ID: n_without_trace, NO_SPAN_ID: int((~valid).sum()) - n_without_trace}
    batch.take(np.flatnonzero(valid))
    return {reason: count for reason, count in counts.items() if count}
