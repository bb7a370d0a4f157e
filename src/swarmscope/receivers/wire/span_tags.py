"""What tags of Zipkin and Jaeger say that OpenTelemetry has fields for: kind, status, scope, trace state, counts.

Source: https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/; which tag becomes what, and which are gone
afterwards, is told in `model/jaeger_conventions.py` and `model/zipkin_conventions.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.model import jaeger_conventions as tags
from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import Scopes, SpanStatus
from swarmscope.receivers.wire.attribute_names import match_words
from swarmscope.receivers.wire.key_hash import derive_secrets, hash_spans, mix_columns

_PURPOSE = 13  # of the hash of scopes
_STATUS_WORDS = ("unset", "ok", "error", "status_code_unset", "status_code_ok", "status_code_error")
_FALSE, _TRUE = 0, 1
_MAX_COUNT = 0xFFFFFFFF
_MAX_DIGITS = 10


@dataclass(slots=True)
class SpanTags:
    """Fields of n spans that their tags told, and the tags that are left."""

    attributes: AttributeSets
    kind: NDArray[np.uint8]  # [n] SpanKind
    status: NDArray[np.uint8]  # [n] SpanStatus
    status_message: Utf8Column  # [n]
    trace_state: Utf8Column  # [n]
    scopes: Scopes
    scope: NDArray[np.int64]  # [n]
    dropped_attributes: NDArray[np.uint32]  # [n]
    dropped_events: NDArray[np.uint32]  # [n]
    dropped_links: NDArray[np.uint32]  # [n]


class _Reading:
    """Tags looked up by name; those that were made use of are remembered."""

    def __init__(self, sets: AttributeSets) -> None:
        self.sets = sets
        self.n = len(sets)
        self._used: list[NDArray[np.int64]] = []

    def take(self, name: str) -> tuple[NDArray[np.int64], ValueColumn]:
        """Positions [n], -1 for none, and values of a tag."""
        at = self.sets.find(name) if len(self.sets.values) else np.full(self.n, -1, np.int64)
        if not (at >= 0).any():
            return at, ValueColumn.absent(self.n)
        values = self.sets.values.take(np.maximum(at, 0))
        there = at >= 0
        text = Utf8Column(values.text.buffer, values.text.start, np.where(there, values.text.length, 0))
        return at, ValueColumn(np.where(there, values.kind, np.uint8(ValueKind.ABSENT)), text)

    def use(self, at: NDArray[np.int64], which: NDArray[np.bool_]) -> None:
        """The tags at these positions are gone where `which` [n] says so."""
        self._used.append(at[which & (at >= 0)])

    def rest(self) -> AttributeSets:
        """What is left."""
        return self.sets.without(np.concatenate(self._used)) if self._used else self.sets

    def text(self, name: str) -> Utf8Column:
        """A string, used; "" where there is none."""
        at, values = self.take(name)
        given = values.kind == ValueKind.STRING
        self.use(at, given)
        return _chosen(values.text, given)

    def count(self, name: str) -> NDArray[np.uint32]:
        """A number, or a text of digits, used; 0 where there is none."""
        at, values = self.take(name)
        counts = np.zeros(self.n, np.uint32)
        # Slow path: next to no span tells that something was dropped.
        for row in np.flatnonzero(at >= 0).tolist():
            told = values.scalar(row)
            if isinstance(told, str) and told.isascii() and told.isdigit() and len(told) <= _MAX_DIGITS:
                told = int(told)
            if isinstance(told, int) and 0 <= told <= _MAX_COUNT:
                counts[row] = told
            else:
                at[row] = -1
        self.use(at, at >= 0)
        return counts


def _chosen(text: Utf8Column, which: NDArray[np.bool_]) -> Utf8Column:
    return Utf8Column(text.buffer, text.start, np.where(which, text.length, 0))


def read_tags(
    sets: AttributeSets, kind: NDArray[np.uint8], seed: int, *, error_holds_message: bool, internal_only: bool = False
) -> SpanTags:
    """Read the tags of n spans; all values must be UTF-8 where they are strings, and stand in one buffer.

    `kind` [n] is what the spans say themselves; the tag fills in UNSPECIFIED ones (`internal_only`: if it says
    internal). `error_holds_message`: the tag `error` tells the message where `otel.status_code` tells the status.
    """
    reading = _Reading(sets)
    kind = _read_kind(reading, kind, internal_only=internal_only)
    status, message = _read_status(reading, error_holds_message=error_holds_message)
    trace_state = reading.text(tags.TRACE_STATE)
    scopes, scope = _read_scopes(reading, seed)
    counts = [reading.count(name) for name in (tags.DROPPED_ATTRIBUTES, tags.DROPPED_EVENTS, tags.DROPPED_LINKS)]
    return SpanTags(reading.rest(), kind, status, message, trace_state, scopes, scope, *counts)


def _read_kind(reading: _Reading, kind: NDArray[np.uint8], *, internal_only: bool) -> NDArray[np.uint8]:
    at, values = reading.take(tags.SPAN_KIND)
    if not (at >= 0).any():
        return kind
    known = tuple(tags.SPAN_KINDS)[:1] if internal_only else tuple(tags.SPAN_KINDS)
    word = match_words(values, known)
    used = (word >= 0) & (kind == 0)
    reading.use(at, used)
    kinds = np.array([int(tags.SPAN_KINDS[name]) for name in known], np.uint8)
    return np.where(used, kinds[word], kind)


def _read_status(reading: _Reading, *, error_holds_message: bool) -> tuple[NDArray[np.uint8], Utf8Column]:
    code_at, codes = reading.take(tags.STATUS_CODE)
    code = match_words(codes, _STATUS_WORDS)
    said = code >= 0
    status = np.where(said, code % 3, int(SpanStatus.UNSET)).astype(np.uint8)
    reading.use(code_at, said)
    error_at, errors = reading.take(tags.ERROR)
    word = match_words(errors, ("false", "true"))
    is_bool = errors.kind == ValueKind.BOOL
    if is_bool.any():
        truth = _first_bytes(errors) != 0
        reading.use(error_at, is_bool & truth)
        word = np.where(is_bool, truth.astype(np.int64), word)
    is_text = errors.kind == ValueKind.STRING
    told = ((error_at >= 0) & (word != _FALSE)) & (is_text | (word == _TRUE))
    status = np.where(told & (status != SpanStatus.OK), np.uint8(SpanStatus.ERROR), status)
    message_at, messages = reading.take(tags.STATUS_DESCRIPTION)
    given = (messages.kind == ValueKind.STRING) & (status != SpanStatus.UNSET)
    reading.use(message_at, given)
    message = _chosen(messages.text, given)
    if not error_holds_message:
        return status, message
    twice = said & (code % 3 == SpanStatus.ERROR) & is_text & ~given
    reading.use(error_at, twice)
    text = errors.text
    shown = twice | (told & is_text & (word < 0) & (status == SpanStatus.ERROR) & ~given)
    if not shown.any():
        return status, message
    # Values of one batch stand in one buffer.
    start, length = np.where(shown, text.start, message.start), np.where(shown, text.length, message.length)
    return status, Utf8Column(text.buffer, start, length)


def _first_bytes(values: ValueColumn) -> NDArray[np.uint8]:
    """The first byte of each value [n], 0 where there is none."""
    text = values.text
    there = text.length > 0
    first = np.zeros(len(values), np.uint8)
    first[there] = text.buffer[text.start[there]]
    return first


def _read_scopes(reading: _Reading, seed: int) -> tuple[Scopes, NDArray[np.int64]]:
    """Distinct scopes, and each span's."""
    name, version = (
        _either(reading, tags.SCOPE_NAME, tags.LIBRARY_NAME),
        _either(reading, tags.SCOPE_VERSION, tags.LIBRARY_VERSION),
    )
    secrets = derive_secrets(seed, _PURPOSE)
    hashes = [hash_spans(text.buffer, text.start, text.length, secrets) for text in (name, version)]
    _, first, scope = np.unique(mix_columns(np.stack(hashes), seed), return_index=True, return_inverse=True)
    n = len(first)
    nothing = Utf8Column(np.zeros(0, np.uint8), np.zeros(n, np.int64), np.zeros(n, np.int64))
    empty = AttributeSets.empty(n)
    scopes = Scopes(name.take(first), version.take(first), empty, nothing, np.zeros(n, np.uint32))
    return scopes, scope.astype(np.int64, copy=False)


def _either(reading: _Reading, name: str, old_name: str) -> Utf8Column:
    """The text of a tag, or of the one that was used before it; exporters send both."""
    new, old = reading.text(name), reading.text(old_name)
    if not old.length.any():
        return new
    if not new.length.any():
        return old
    there = new.length > 0
    return Utf8Column(new.buffer, np.where(there, new.start, old.start), np.where(there, new.length, old.length))
