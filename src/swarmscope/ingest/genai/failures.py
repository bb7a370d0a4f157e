"""Why a span failed, where no attribute says it."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.genai.attribute import Field
from swarmscope.ingest.genai.reading import NO_PAIR, Pairs
from swarmscope.ingest.genai.slices import IN_EVENTS, NOWHERE, Slices, put
from swarmscope.model.attributes import ValueKind
from swarmscope.model.raw_memory import address_of, load_u8
from swarmscope.model.spans import Events, SpanStatus

_ERROR_TYPE = int(Field.ERROR_TYPE)
_BOOL, _STRING = int(ValueKind.BOOL), int(ValueKind.STRING)
_ERROR = int(SpanStatus.ERROR)


def name_exceptions(events: Events, rows: NDArray[np.int64], status: NDArray[np.uint8], slices: Slices) -> None:
    """The type of the last exception among the events of failed rows [n_told] that tell no type themselves."""
    found = events.attributes.find("exception.type")
    values = events.attributes.values
    _name_exceptions(
        events.offsets, found, values.kind, values.text.buffer, values.text.start, values.text.length, rows, status,
        slices,
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _name_exceptions(
    offsets: NDArray[np.int64],
    found: NDArray[np.int64],
    kind: NDArray[np.uint8],
    buffer: NDArray[np.uint8],
    start: NDArray[np.int64],
    length: NDArray[np.int64],
    rows: NDArray[np.int64],
    status: NDArray[np.uint8],
    slices: Slices,
) -> None:
    base = address_of(buffer)
    for at in range(len(rows)):
        row = rows[at]
        if status[row] != _ERROR or slices.origin[_ERROR_TYPE, at] != NOWHERE:
            continue
        for event in range(offsets[row], offsets[row + 1]):
            pair = found[event]
            if pair >= 0 and kind[pair] == _STRING:
                put(slices, _ERROR_TYPE, at, IN_EVENTS, base, start[pair], start[pair] + length[pair])


@njit(nogil=True, cache=True)
def failed_by_their_words(pairs: Pairs, chosen: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which rows [n] have an attribute that says they did not succeed."""
    base = address_of(pairs.buffer)
    failed = np.zeros(len(chosen), np.bool_)
    for at in range(len(chosen)):
        pair = chosen[at]
        failed[at] = pair != NO_PAIR and pairs.kind[pair] == _BOOL and load_u8(base, pairs.start[pair]) == 0
    return failed
