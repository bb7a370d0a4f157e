"""Fields of a log record that are metadata beside its attributes, under the names that Loki gives them."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.receivers.otlp.log_kernel import (
    DROPPED,
    EVENT,
    EVENT_LENGTH,
    FLAGS,
    NAME,
    NAME_LENGTH,
    TEXT,
    TEXT_LENGTH,
    VALUE,
    VALUE_LENGTH,
)
from swarmscope.receivers.otlp.number_columns import to_int_texts
from swarmscope.receivers.wire.log_pairs import Pairs
from swarmscope.receivers.wire.text_tail import TextTail

_NAMES = (b"dropped_attributes_count", b"flags", b"event_name", b"severity_text")


class _Fields(NamedTuple):
    """Texts of the fields _NAMES [4, n_records]; length 0 where a record has none."""

    start: NDArray[np.int64]
    length: NDArray[np.int64]
    name_start: NDArray[np.int64]  # [4]
    name_length: NDArray[np.int64]  # [4]


@njit(nogil=True, cache=True)
def _join(attributes: Pairs, fields: _Fields) -> Pairs:
    n_rows, n_fields = len(attributes.offsets) - 1, len(fields.start)
    room = len(attributes.name_start)
    for row in range(n_rows):
        for field in range(n_fields):
            room += fields.length[field, row] > 0
    offsets = np.zeros(n_rows + 1, np.int64)
    name_start, name_length = np.empty(room, np.int64), np.empty(room, np.int64)
    value_start, value_length = np.empty(room, np.int64), np.empty(room, np.int64)
    at = 0
    for row in range(n_rows):
        for pair in range(attributes.offsets[row], attributes.offsets[row + 1]):
            name_start[at], name_length[at] = attributes.name_start[pair], attributes.name_length[pair]
            value_start[at], value_length[at] = attributes.value_start[pair], attributes.value_length[pair]
            at += 1
        for field in range(n_fields):
            if fields.length[field, row] > 0:
                name_start[at], name_length[at] = fields.name_start[field], fields.name_length[field]
                value_start[at], value_length[at] = fields.start[field, row], fields.length[field, row]
                at += 1
        offsets[row + 1] = at
    return Pairs(offsets, name_start, name_length, value_start, value_length)


def join_record_fields(
    rows: NDArray[np.int64], pairs: NDArray[np.int64], offsets: NDArray[np.int64], tail: TextTail
) -> Pairs:
    """Attributes (texts by now) and record fields of n records; fields stand last, so they win over attributes."""
    start, length = np.zeros((len(_NAMES), len(rows)), np.int64), np.zeros((len(_NAMES), len(rows)), np.int64)
    for field, column in enumerate((DROPPED, FLAGS)):
        told = np.flatnonzero(rows[:, column])
        if len(told):
            text, starts, length[field, told] = to_int_texts(rows[told, column])
            start[field, told] = starts + tail.add(text)
    for field, columns in ((2, (EVENT, EVENT_LENGTH)), (3, (TEXT, TEXT_LENGTH))):
        start[field], length[field] = rows[:, columns[0]], rows[:, columns[1]]
    attributes = Pairs(offsets, pairs[NAME], pairs[NAME_LENGTH], pairs[VALUE], pairs[VALUE_LENGTH])
    return Pairs(*_join(attributes, _Fields(start, length, *tail.add_texts(_NAMES))))
