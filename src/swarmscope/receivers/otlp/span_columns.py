"""Messages walked to rows, and attributes to sets: what the walk leaves to be mended, spelled and settled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.trace.v1 import trace_pb2

from swarmscope.model.attributes import AttributeSets, ValueColumn
from swarmscope.model.errors import MalformedInputError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.uvarint import to_uvarint
from swarmscope.receivers.otlp.attribute_walk import (
    ARRAY,
    KIND,
    MAP,
    N_PAIR_ROWS,
    NAME,
    NAME_LENGTH,
    STRING,
    UNCLEAN,
    VALUE,
    VALUE_LENGTH,
    spell_numbers,
)
from swarmscope.receivers.otlp.log_values import decode_text_part
from swarmscope.receivers.otlp.span_kernel import (
    EVENT_LAYOUT,
    FAULT,
    FIELD,
    LINK_LAYOUT,
    MESSAGE,
    N_COLUMNS,
    N_EVENTS,
    N_LINKS,
    N_OUTCOMES,
    N_PAIRS,
    N_UNCLEAN,
    OFFSET,
    PAIRS_BEGIN,
    SPAN_LAYOUT,
    STATE,
    Layout,
    Target,
    walk_messages,
)
from swarmscope.receivers.otlp.span_kernel import NAME as MESSAGE_NAME
from swarmscope.receivers.wire.attribute_names import settle_names
from swarmscope.receivers.wire.log_pairs import MAX_PAIRS, check_count
from swarmscope.receivers.wire.scanner import FAULT_TEXTS
from swarmscope.receivers.wire.text_repair import repair_texts
from swarmscope.receivers.wire.text_tail import TextTail

# First guess at how much a body holds of each; a wrong one costs a second walk.
_PAIR_BYTES, _ENTRY_BYTES, _SPARE = 24, 48, 16
# Above what honest senders fit into the largest body that is taken, as is the bound on attributes.
MAX_ENTRIES = 2_000_000
# Field of an AnyValue, and its tag, for what is mended as a whole.
_MEMBERS = {ARRAY: ("array_value", b"\x2a"), MAP: ("kvlist_value", b"\x32")}


class MessageKind(NamedTuple):
    """One of the three messages that are walked."""

    layout: Layout
    descriptor: Any  # for the names of fields
    name: str


SPANS = MessageKind(SPAN_LAYOUT, trace_pb2.Span.DESCRIPTOR, "Span")
EVENTS = MessageKind(EVENT_LAYOUT, trace_pb2.Span.Event.DESCRIPTOR, "Span.Event")
LINKS = MessageKind(LINK_LAYOUT, trace_pb2.Span.Link.DESCRIPTOR, "Span.Link")


class Walked(NamedTuple):
    """Messages of one kind in columns."""

    rows: NDArray[np.int64]  # [N_COLUMNS, n]
    pairs: NDArray[np.int64]  # [N_PAIR_ROWS, n_pairs]
    offsets: NDArray[np.int64]  # [n + 1] of the pairs
    events: NDArray[np.int64]  # [2, n_events] start, end
    links: NDArray[np.int64]  # [2, n_links] start, end
    n_unclean: int  # texts that are not UTF-8, and attributes with such

    def begins(self, column: int, n_entries: int) -> NDArray[np.int64]:
        """Offsets [n + 1] of entries, from the column that says where they begin."""
        return np.append(self.rows[column], n_entries)


def walk(
    kind: MessageKind, body: NDArray[np.uint8], span: tuple[NDArray[np.int64], NDArray[np.int64]],
    claim_entries: Callable[[int, int], object],
) -> Walked:  # fmt: skip
    """Walk the messages at `span` (starts, ends). Raises MalformedInputError, and LimitExceededError for too many.

    `claim_entries` is told how many attributes, and how many events and links there are, before they get room.
    """
    start, end = span
    with_entries = kind is SPANS
    n_bytes = int((end - start).sum())
    rooms = [n_bytes // _PAIR_BYTES + _SPARE, *[n_bytes // _ENTRY_BYTES + _SPARE if with_entries else 0] * 2]
    while True:
        outcome = np.zeros(N_OUTCOMES, np.int64)
        target = Target(
            np.zeros((N_COLUMNS, len(start)), np.int64), np.empty((N_PAIR_ROWS, rooms[0]), np.int64),
            np.empty((2, rooms[1]), np.int64), np.empty((2, rooms[2]), np.int64), outcome,
        )  # fmt: skip
        if not walk_messages(body, start, end, kind.layout, target):
            raise _to_error(kind, outcome)
        counts = [int(outcome[cell]) for cell in (N_PAIRS, N_EVENTS, N_LINKS)]
        check_count(counts[0], MAX_PAIRS, "attributes")
        check_count(counts[1] + counts[2], MAX_ENTRIES, "events and links")
        if rooms != counts:
            claim_entries(counts[0], counts[1] + counts[2])
        if all(count <= room for count, room in zip(counts, rooms, strict=True)):
            break
        rooms = counts
    pairs, events, links = (
        np.ascontiguousarray(table[:, :count])
        for table, count in zip((target.pairs, target.events, target.links), counts, strict=True)
    )
    offsets = np.append(target.rows[PAIRS_BEGIN], counts[0])
    return Walked(target.rows, pairs, offsets, events, links, int(outcome[N_UNCLEAN]))


def _to_error(kind: MessageKind, outcome: NDArray[np.int64]) -> MalformedInputError:
    known = kind.descriptor.fields_by_number
    number = int(outcome[FIELD])
    place = f"{kind.name}.{known[number].name}" if number in known else kind.name
    return MalformedInputError(f"{place} at byte {int(outcome[OFFSET])}: {FAULT_TEXTS[int(outcome[FAULT])]}")


def mend(body: NDArray[np.uint8], walked: Walked, tail: TextTail) -> int:
    """Make every text UTF-8, in place; how many were not. # Slow path: only where the walk saw one"""
    if not walked.n_unclean:
        return 0
    n_repaired = 0
    for column in (MESSAGE_NAME, MESSAGE, STATE):
        n_repaired += repair_texts(body, walked.rows[column], walked.rows[column + 1], tail)
    pairs = walked.pairs
    unclean = pairs[KIND] >= UNCLEAN
    pairs[KIND, unclean] -= UNCLEAN
    n_repaired += _mend_chosen(body, pairs, (NAME, NAME_LENGTH), np.flatnonzero(unclean), tail)
    strings = np.flatnonzero(unclean & (pairs[KIND] == STRING))
    n_repaired += _mend_chosen(body, pairs, (VALUE, VALUE_LENGTH), strings, tail)
    for row in np.flatnonzero(unclean & ((pairs[KIND] == ARRAY) | (pairs[KIND] == MAP))).tolist():
        n_repaired += _mend_nested(body, pairs, row, tail)
    return n_repaired


def _mend_chosen(
    body: NDArray[np.uint8], table: NDArray[np.int64], columns: tuple[int, int], chosen: NDArray[np.int64],
    tail: TextTail,
) -> int:  # fmt: skip
    start, length = table[columns[0], chosen], table[columns[1], chosen]
    n_repaired = repair_texts(body, start, length, tail)
    table[columns[0], chosen], table[columns[1], chosen] = start, length
    return n_repaired


def _mend_nested(body: NDArray[np.uint8], pairs: NDArray[np.int64], row: int, tail: TextTail) -> int:
    """Repair the texts inside an array or a map; 1 where there were such."""
    member, tag = _MEMBERS[int(pairs[KIND, row])]
    start, length = int(pairs[VALUE, row]), int(pairs[VALUE_LENGTH, row])
    inside = body[start : start + length].tobytes()
    whole = np.frombuffer(tag + to_uvarint(length) + inside, np.uint8)
    mended: bytes = getattr(decode_text_part("AnyValue", whole, 0, len(whole)), member).SerializeToString()
    if mended == inside:
        return 0
    pairs[VALUE, row], pairs[VALUE_LENGTH, row] = tail.add(mended), len(mended)
    return 1


def spell(walked: Walked, tail: TextTail) -> None:
    """Write numbers and truth values behind the body, so that all values are bytes; once all texts are mended."""
    truth_at = tail.add(b"\x00\x01")
    numbers = spell_numbers(walked.pairs, truth_at, tail.end)
    tail.add(numbers.view(np.uint8))


def settle(buffer: NDArray[np.uint8], walked: Walked, secrets: NDArray[np.uint64]) -> AttributeSets:
    """The attributes as sets: without those that have no name, the last one of each name."""
    pairs = walked.pairs
    values = ValueColumn(pairs[KIND].astype(np.uint8), Utf8Column(buffer, pairs[VALUE], pairs[VALUE_LENGTH]))
    names = Utf8Column(buffer, pairs[NAME], pairs[NAME_LENGTH])
    return settle_names(AttributeSets(walked.offsets, names, values), secrets)
