"""Texts that a request does not hold as they are needed, behind its body: a column has one buffer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class TextTail:
    """Collects what is to stand behind a body; positions count from the body's first byte."""

    def __init__(self, body: NDArray[np.uint8]) -> None:
        self._body = body
        self._parts: list[NDArray[np.uint8]] = []
        self._end = len(body)

    @property
    def end(self) -> int:
        """Where the next text will stand."""
        return self._end

    def add(self, text: bytes | NDArray[np.uint8]) -> int:
        """Append bytes; where they begin."""
        start = self._end
        part = np.frombuffer(text, np.uint8) if isinstance(text, bytes) else text
        if len(part):
            self._parts.append(part)
            self._end += len(part)
        return start

    def add_texts(self, texts: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Append several texts; their starts and lengths."""
        length = np.fromiter(map(len, texts), np.int64, len(texts))
        start = self.add(b"".join(texts)) + np.cumsum(length) - length
        return start, length

    def joined(self) -> NDArray[np.uint8]:
        """Body and texts as one read-only buffer; the body itself where nothing was added."""
        if not self._parts:
            return self._body
        buffer = np.concatenate((self._body, *self._parts))
        buffer.flags.writeable = False
        return buffer
