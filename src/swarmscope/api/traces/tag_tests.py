"""Whether spans have a tag as Jaeger and Zipkin see it: an attribute of the span, its resource, its scope or an event,
or one of the names that OpenTelemetry gives to kind, status and scope.

Source: https://opentelemetry.io/docs/specs/otel/common/mapping-to-non-otlp/
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.api.traces.value_text import spellings, value_text
from swarmscope.model.attributes import AttributeSets, ValueColumn, ValueKind, to_scalar
from swarmscope.model.contracts import SpanReader
from swarmscope.model.jaeger_conventions import (
    ERROR,
    SCOPE_NAME,
    SCOPE_VERSION,
    SPAN_KIND,
    SPAN_KINDS,
    STATUS_CODE,
    STATUS_DESCRIPTION,
)
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import (
    AttributeKey,
    AttributeScope,
    Comparison,
    Condition,
    SpanRows,
    SpanStatus,
)

_INTRINSIC = frozenset({ERROR, SPAN_KIND, STATUS_CODE, STATUS_DESCRIPTION, SCOPE_NAME, SCOPE_VERSION})
_KIND_CODES = {name: int(kind) for name, kind in SPAN_KINDS.items()}
_STATUS_CODES = {"OK": int(SpanStatus.OK), "ERROR": int(SpanStatus.ERROR)}
_COMPOSED = (ValueKind.ARRAY, ValueKind.MAP)
Mask = NDArray[np.bool_]


class Tag(NamedTuple):
    """A wanted tag: any of the values. None: it is there, whatever it is, or there is an event of this name."""

    name: str
    values: tuple[str, ...] | None = None


class Places(NamedTuple):
    """Where attributes of some name may stand, other than in the resources: names by scope."""

    span: frozenset[str]
    event: frozenset[str]


def places_of(reader: SpanReader, tenant: str, start_ns: int, end_ns: int) -> Places:
    """The names that spans of the range may have."""
    span, event = (
        frozenset(reader.attribute_names(tenant, scope, start_ns, end_ns))
        for scope in (AttributeScope.SPAN, AttributeScope.EVENT)
    )
    return Places(span, event)


@dataclass(frozen=True, slots=True)
class TagTest:
    """One wanted tag, and what has to be read to look for it."""

    tag: Tag
    event_name: str  # the tag that is an event's name, "" where there is none
    in_span: bool
    in_event: bool

    @property
    def needs_events(self) -> bool:
        """Whether events have to be read."""
        return self.in_event or self.tag.values is None or self.tag.name == self.event_name

    def hint(self, reader: SpanReader) -> Condition | None:
        """What the reader may leave out spans by: only where one place alone can have the tag."""
        name, wanted = self.tag
        if wanted is None or any(each.startswith(("[", "{")) for each in wanted):
            return None
        if name == SPAN_KIND and not self.in_span and not self.needs_events and set(wanted) <= set(SPAN_KINDS):
            return Condition("kind", Comparison.EQUAL, tuple(int(SPAN_KINDS[each]) for each in wanted))
        if name == ERROR and wanted == ("true",) and not self.in_span and not self.needs_events:
            return Condition("status", Comparison.EQUAL, (int(SpanStatus.ERROR),))
        if name in _INTRINSIC or self.needs_events or self.set_mask(reader.resources().attributes).any():
            return None
        if self.set_mask(reader.scopes().attributes).any():
            return None
        values = [to_scalar(kind, text) for each in wanted for kind, text in spellings(each).items()]
        plain = tuple(each for each in values if isinstance(each, str | int | float))
        return Condition(AttributeKey(AttributeScope.SPAN, name), Comparison.EQUAL, plain)

    def mask(self, rows: SpanRows, column: ValueColumn, reader: SpanReader) -> Mask:
        """Which spans [n] have the tag; `column` is the span attribute of its name."""
        found = self._values(column) | self._intrinsic(rows, reader)
        found |= self.set_mask(reader.resources().attributes)[rows.resource]
        if len(rows.scope):
            found |= self.set_mask(reader.scopes().attributes)[rows.scope]
        return found | self._of_events(rows) if self.needs_events else found

    def set_mask(self, sets: AttributeSets) -> Mask:
        """Which sets [n] of attributes have it."""
        return self._values(sets.column(self.tag.name))

    def _values(self, column: ValueColumn) -> Mask:
        if self.tag.values is None:
            return np.asarray(column.kind != ValueKind.ABSENT)
        return _any_of(equal_values(column, each) for each in self.tag.values)

    def _of_events(self, rows: SpanRows) -> Mask:
        events = rows.events
        found = self.set_mask(events.attributes) if self.in_event else np.zeros(len(events.ts_ns), np.bool_)
        if self.tag.values is None:
            found = found | equal_texts(events.name, self.tag.name.encode())
        elif self.tag.name == self.event_name:
            found = found | _text_mask(events.name, self.tag.values)
        total = np.concatenate([np.zeros(1, np.int64), np.cumsum(found)])
        return np.asarray(total[events.offsets[1:]] > total[events.offsets[:-1]])

    def _intrinsic(self, rows: SpanRows, reader: SpanReader) -> Mask:
        """What is told by columns of their own."""
        name, wanted = self.tag
        match name:
            case "error":
                return np.asarray((rows.status == SpanStatus.ERROR) & (wanted is None or "true" in wanted))
            case "span.kind":
                return np.isin(rows.kind, _codes(_KIND_CODES, wanted))
            case "otel.status_code":
                return np.isin(rows.status, _codes(_STATUS_CODES, wanted))
            case "otel.status_description":
                return _text_mask(rows.status_message, wanted)
            case "otel.scope.name":
                return _text_mask(reader.scopes().name, wanted)[rows.scope]
            case "otel.scope.version":
                return _text_mask(reader.scopes().version, wanted)[rows.scope]
        return np.zeros(len(rows), np.bool_)


def tag_tests(tags: tuple[Tag, ...], places: Places, event_name: str) -> list[TagTest]:
    """How to look for each tag. `event_name`: the tag that stands for an event's name, "" for none."""
    return [TagTest(tag, event_name, tag.name in places.span, tag.name in places.event) for tag in tags]


def equal_values(column: ValueColumn, text: str) -> Mask:
    """Which values [n] read as `text`, whatever their type is."""
    found = np.zeros(len(column), np.bool_)
    for kind, spelled in spellings(text).items():
        same = np.flatnonzero(column.kind == kind)
        found[same] = equal_texts(column.text.take(same), spelled)
    # Slow path: lists and maps are compared in JSON's form.
    for row in np.flatnonzero(np.isin(column.kind, _COMPOSED)).tolist() if text.startswith(("[", "{")) else ():
        spelled = bytes(column.text.buffer[column.text.start[row] : column.text.start[row] + column.text.length[row]])
        found[row] = value_text(int(column.kind[row]), spelled) == text
    return found


def equal_texts(column: Utf8Column, wanted: bytes) -> Mask:
    """Which texts [n] are these bytes."""
    found = np.asarray(column.length == len(wanted))
    for at, byte in enumerate(wanted):
        rows = np.flatnonzero(found)
        if not len(rows):
            break
        found[rows] = column.buffer[column.start[rows] + at] == byte
    return found


def _text_mask(column: Utf8Column, wanted: tuple[str, ...] | None) -> Mask:
    if wanted is None:
        return np.asarray(column.length > 0)
    return _any_of(equal_texts(column, each.encode()) for each in wanted)


def _any_of(masks: Iterable[Mask]) -> Mask:
    """Where any of the masks [n] holds; there is one at the least."""
    return reduce(np.logical_or, masks)


def _codes(known: Mapping[str, int], wanted: tuple[str, ...] | None) -> list[int]:
    """The numbers of these names; every one for None."""
    return [code for name, code in known.items() if wanted is None or name in wanted]
