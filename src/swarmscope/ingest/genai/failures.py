"""Why a span failed, where no attribute says it."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.genai.attribute import Field
from swarmscope.ingest.genai.read_only import read_only
from swarmscope.ingest.genai.reading import NO_PAIR, Pairs
from swarmscope.ingest.genai.slices import IN_EVENTS, NOWHERE, Piece, Slices, put
from swarmscope.model.attributes import ValueKind
from swarmscope.model.raw_memory import address_of, load_u8
from swarmscope.model.spans import Events, SpanStatus

_ERROR_TYPE = int(Field.ERROR_TYPE)
_BOOL, _STRING = int(ValueKind.BOOL), int(ValueKind.STRING)
_ERROR = int(SpanStatus.ERROR)


class _Types(NamedTuple):
    """Types of exceptions among the events of all spans."""

    offsets: NDArray[np.int64]  # [n_spans + 1]
    found: NDArray[np.int64]  # [n_events] pair, -1 for none
    kind: NDArray[np.uint8]  # [n_pairs] ValueKind
    buffer: NDArray[np.uint8]
    start: NDArray[np.int64]  # [n_pairs]
    length: NDArray[np.int64]


def name_exceptions(events: Events, rows: NDArray[np.int64], status: NDArray[np.uint8], slices: Slices) -> None:
    """The type of the last exception among the events of failed rows [n_told] that tell no type themselves."""
    found, values = events.attributes.find("exception.type"), events.attributes.values
    columns: list[NDArray[Any]] = [
        events.offsets, found, values.kind, values.text.buffer, values.text.start, values.text.length
    ]  # fmt: skip
    _name_exceptions(_Types(*map(read_only, columns)), rows, status, slices)


@njit(nogil=True, cache=True)
def _name_exceptions(types: _Types, rows: NDArray[np.int64], status: NDArray[np.uint8], slices: Slices) -> None:
    base = address_of(types.buffer)
    for at in range(len(rows)):
        row = rows[at]
        if status[row] != _ERROR or slices.origin[_ERROR_TYPE, at] != NOWHERE:
            continue
        for event in range(types.offsets[row], types.offsets[row + 1]):
            pair = types.found[event]
            if pair >= 0 and types.kind[pair] == _STRING:
                put(slices, _ERROR_TYPE, at, Piece(IN_EVENTS, base, types.start[pair], types.length[pair]))


@njit(nogil=True, cache=True)
def failed_by_their_words(pairs: Pairs, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows [n] have an attribute that says they did not succeed."""
    base = address_of(pairs.buffer)
    failed = np.zeros(len(chosen), np.bool_)
    for at in range(len(chosen)):
        pair = chosen[at]
        failed[at] = pair != NO_PAIR and pairs.kind[pair] == _BOOL and load_u8(base, pairs.start[pair]) == 0
    return failed
