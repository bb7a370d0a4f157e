"""Strings behind label codes inside one query: the catalogue's, and those that the query makes itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.errors import LimitExceededError
from swarmscope.model.series import ABSENT, SymbolTable
from swarmscope.query.settings import EngineSettings

FIRST_OWN_CODE = 1 << 30  # far above what a catalogue gives out, far below the end of int32


class QuerySymbols:
    """The catalogue's symbol table plus strings made by label_replace and friends. Equal codes: equal strings.

    Belongs to one query; not thread-safe.
    """

    def __init__(self, base: SymbolTable, max_own_characters: int = EngineSettings.max_label_characters) -> None:
        """`max_own_characters`: the text of labels that the query may make."""
        self._base = base
        self._own: dict[str, int] = {}
        self._own_texts: list[str] = []
        self._own_characters = 0
        self._max_own_characters = max_own_characters

    def text(self, code: int) -> str:
        """The string of a code; "" for ABSENT, as PromQL has it."""
        if code == ABSENT:
            return ""
        if code >= FIRST_OWN_CODE:
            return self._own_texts[code - FIRST_OWN_CODE]
        return self._base.text(code)

    def code(self, text: str) -> int:
        """The code of a string, a new one where it has none; ABSENT for ""."""
        if not text:
            return ABSENT
        own = self._own.get(text)
        if own is not None:
            return own
        code = self._base.code(text)
        if code == ABSENT:
            code = FIRST_OWN_CODE + len(self._own_texts)
            self._own[text] = code
            self._own_texts.append(text)
            self._own_characters += len(text)
        return code

    def refuse_growth(self, n_characters: int) -> None:
        """Raise LimitExceededError where so many characters more are too many: ask before making them."""
        if self._own_characters + n_characters > self._max_own_characters:
            raise LimitExceededError(
                f"the query makes labels of more than {self._max_own_characters} characters",
                limit="query.max_label_characters",
            )

    def codes(self, texts: Sequence[str]) -> NDArray[np.int32]:
        """Codes of many strings [n]."""
        return np.fromiter((self.code(text) for text in texts), np.int32, len(texts))

    def adopt(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Codes of a later fetch: a string that got an own code before the catalogue knew it keeps that one."""
        for text, own in self._own.items():
            code = self._base.code(text)
            if code != ABSENT:
                codes = np.where(codes == code, np.int32(own), codes)
        return codes
