"""Lines in memory that can have what a request looks for. No index knows them, but their text lies in one piece."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.byte_search import find_bytes
from swarmscope.model.logs import LineRequest
from swarmscope.model.raw_memory import address_of
from swarmscope.store.embedded.logs.lines import Lines
from swarmscope.store.embedded.logs.needle_plan import encoded_text

# Not to be written to, as every needle is: kernels are compiled for one or the other.
_NOTHING = np.frombuffer(b"", np.uint8)
_BACKSLASH = np.frombuffer(b"\\", np.uint8)


def rows_with_needles(lines: Lines, rows: NDArray[np.int64], request: LineRequest) -> NDArray[np.int64]:
    """Those of `rows` [n] that break none of the request's hints on texts, in their order."""
    for needle in request.needles:
        rows = _kept(lines, rows, needle)
    for text in request.absent:
        rows = _kept(lines, rows, text, wanted=False)
    for value in request.values:
        rows = _kept(lines, rows, value, _BACKSLASH)
    return rows


def _kept(
    lines: Lines, rows: NDArray[np.int64], text: str, escape: NDArray[np.uint8] = _NOTHING, *, wanted: bool = True
) -> NDArray[np.int64]:
    needle = np.frombuffer(encoded_text(text), np.uint8)
    if len(needle) == 0 or len(rows) == 0:
        return rows
    kept: NDArray[np.int64] = _having(
        (lines.text, lines.line_start, lines.line_length), rows, (needle, escape), wanted
    )  # fmt: skip
    return kept


@njit(nogil=True, cache=True)
def _having(
    held: tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.uint32]],
    rows: NDArray[np.int64],
    needles: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    wanted: bool,
) -> NDArray[np.int64]:
    """Rows that have the needle or the escape (none where it is empty), or (not `wanted`) those that have not."""
    text, start, length = held
    needle, escape = needles
    kept = np.empty(len(rows), np.int64)
    count = 0
    base, sought, size = address_of(text), address_of(needle), len(needle)
    other, other_size = address_of(escape), len(escape)
    for row in rows:
        at, end = start[row], start[row] + np.int64(length[row])
        found = find_bytes(base, at, end, sought, size) >= 0
        if not found and other_size:
            found = find_bytes(base, at, end, other, other_size) >= 0
        if found == wanted:
            kept[count] = row
            count += 1
    return kept[:count].copy()
