"""Label names and values as JSON text, kept by code: a label set is copied together, never built in Python."""

from __future__ import annotations

import threading
from typing import NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from swarmscope.api.plain_arrays import byte_array
from swarmscope.model.series import LabelFrame, SymbolTable

# The cache is emptied when it passes these: strings of churned series must not stay for ever.
_MAX_CACHED_CODES = 1 << 22
_MAX_CACHED_BYTES = 64 << 20


class LabelText(NamedTuple):
    """JSON text of a frame's labels, rows in the order of their names' bytes, as Prometheus writes them."""

    name_text: NDArray[np.uint8]  # `"name":` of every row, one after the other
    name_bounds: NDArray[np.int64]  # [n_names + 1]
    value_text: NDArray[np.uint8]
    value_start: NDArray[np.int64]  # [n_names, n_series]
    value_length: NDArray[np.int64]  # [n_names, n_series]; 0: the series has no such label


class LabelTexts:
    """Turns codes into JSON text; one for each process, safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self._start = np.full(1024, -1, np.int64)
        self._length = np.zeros(1024, np.int64)
        self._text = np.empty(1 << 16, np.uint8)
        self._used = 0
        self._table: SymbolTable | None = None

    def render(self, frame: LabelFrame, catalogue: SymbolTable, symbols: SymbolTable | None = None) -> LabelText:
        """Text of all the frame's labels. `symbols` knows the codes that a query added to the catalogue's."""
        order = sorted(range(len(frame.names)), key=lambda row: frame.names[row].encode())
        codes = frame.codes[order].astype(np.int64) if order else np.zeros((0, frame.n_series), np.int64)
        names = [orjson.dumps(frame.names[row]) + b":" for row in order]
        bounds = np.cumsum([0, *map(len, names)], dtype=np.int64)
        name_text = byte_array(b"".join(names))
        # Codes that a query made up stand far above the catalogue's.
        if codes.size and int(codes.max()) >= _MAX_CACHED_CODES:
            return LabelText(name_text, bounds, *_render_once(codes, symbols or catalogue))
        return LabelText(name_text, bounds, *self._render_cached(codes, catalogue))

    def _render_cached(
        self, codes: NDArray[np.int64], table: SymbolTable
    ) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
        highest = int(codes.max()) if codes.size else -1
        with self._lock:
            if self._table is not table or self._used > _MAX_CACHED_BYTES:
                self._forget()
                self._table = table
            self._fill(codes, highest, table)
            present = codes >= 0
            place = np.where(present, codes, 0)
            return self._text, self._start[place], np.where(present, self._length[place], 0)

    def _fill(self, codes: NDArray[np.int64], highest: int, table: SymbolTable) -> None:
        """Add the codes never seen before. Readers hold on to older arrays, so text is only ever appended."""
        if highest >= len(self._start):
            grown = max(highest + 1, 2 * len(self._start))
            self._start = np.concatenate([self._start, np.full(grown - len(self._start), -1, np.int64)])
            self._length = np.concatenate([self._length, np.zeros(grown - len(self._length), np.int64)])
        known = codes[codes >= 0]
        missing = np.unique(known[self._start[known] < 0])
        if not len(missing):
            return
        texts = [orjson.dumps(table.text(code)) for code in missing.tolist()]
        lengths = np.fromiter(map(len, texts), np.int64, len(texts))
        added = np.frombuffer(b"".join(texts), np.uint8)
        end = self._used + len(added)
        if end > len(self._text):
            grown_text = np.empty(max(end, 2 * len(self._text)), np.uint8)
            grown_text[: self._used] = self._text[: self._used]
            self._text = grown_text
        self._text[self._used : end] = added
        self._start[missing] = self._used + np.cumsum(lengths) - lengths
        self._length[missing] = lengths
        self._used = end


def _render_once(
    codes: NDArray[np.int64], symbols: SymbolTable
) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Text of codes that are not worth keeping: the query made them up (label_replace and the like)."""
    distinct, place = np.unique(codes, return_inverse=True)
    place = place.reshape(codes.shape)
    texts = [b"" if code == -1 else orjson.dumps(symbols.text(code)) for code in distinct.tolist()]
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    starts = np.cumsum(lengths) - lengths
    return byte_array(b"".join(texts)), starts[place], lengths[place]
