"""Codes of texts, column by column: each has its own bound, so that no column takes the room of the others."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.agents import NO_TEXT, OVERFLOW_TEXT, Vocabulary
from swarmscope.model.interned_rows import InternedRows


class ColumnTexts:
    """Codes of one column's texts, as they are told or as `canonical` has them. Not thread-safe."""

    def __init__(
        self, vocabulary: Vocabulary, max_texts: int, canonical: Callable[[str], str] = lambda text: text
    ) -> None:
        self._vocabulary = vocabulary
        self._canonical = canonical
        self._rows: InternedRows[str] = InternedRows(max_texts, OVERFLOW_TEXT)
        self._codes = np.zeros(1, np.uint32)

    def codes_of(self, hashes: NDArray[np.uint64], text_of: Callable[[int], str]) -> NDArray[np.uint32]:
        """The code [n] of each text by its hash [n]; NO_TEXT where that is 0."""
        codes = np.full(len(hashes), NO_TEXT, np.uint32)
        said = np.flatnonzero(hashes)
        if len(said):
            rows = self._rows.rows_of(hashes[said], lambda place: self._canonical(text_of(int(said[place]))))
            codes[said] = self._known()[rows]
        return codes

    def _known(self) -> NDArray[np.uint32]:
        values = self._rows.values
        if len(self._codes) < len(values):
            new = [self._vocabulary.code_of(text or "") for text in values[len(self._codes) :]]
            self._codes = np.concatenate([self._codes, np.array(new, np.uint32)])
        return self._codes
