"""Redaction of one column of texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import re2  # type: ignore[import-untyped]
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.redaction.actions import STRICTEST_FIRST, Action, Masks, mask_pattern
from swarmscope.ingest.redaction.detectors import Detector, compile_exact
from swarmscope.ingest.redaction.json_pieces import json_pieces
from swarmscope.ingest.redaction.matching import Matcher
from swarmscope.model.labels import Utf8Column

_OPENING = (0x7B, 0x5B)  # what a JSON object or array begins with
_MASK_SIGN = b"[REDACTED:"
# How far behind a name's end its value may begin: `=`, and what a pattern takes for quotes.
_MAX_VALUE_OFFSET = 6


class Hit(NamedTuple):
    """What hits are counted by."""

    detector: str
    action: Action


class _Span(NamedTuple):
    start: int
    end: int
    detector: int


@dataclass(frozen=True, slots=True)
class Redacted:
    """A column after redaction. `dropped` rows are to be thrown away, their texts mean nothing."""

    column: Utf8Column
    hits: Counter[Hit] = field(default_factory=Counter)
    dropped: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))  # ascending


class Redactor:
    """Finds what detectors describe and puts masks in its place. Thread-safe; nothing but its arguments changes."""

    def __init__(self, detectors: Sequence[Detector], actions: Mapping[str, Action], hash_key: bytes) -> None:
        """`actions`: by detector; `mask` where one is missing. Raises BadPatternError."""
        self._detectors = tuple(detectors)
        self._actions = [actions.get(one.name, Action.MASK) for one in detectors]
        self._patterns = [compile_exact(one.pattern) for one in detectors]
        self._matcher = Matcher(detectors)
        self._masks = Masks(hash_key)
        self._own_masks = compile_exact(mask_pattern([one.name for one in detectors] or ["none"]))

    def redact(self, column: Utf8Column, names: Utf8Column | None = None, *, may_drop: bool = True) -> Redacted:
        """Redact texts [n], which are the values of `names` [n] where these are given.

        The texts of the result lie in a buffer of their own, without what was redacted, if there was anything. Where
        `may_drop` is false, finds whose action is `drop` are masked.
        """
        candidates = self._matcher.find(column, names)
        result = Redacted(column)
        rows: list[int] = []
        texts: list[bytes] = []
        dropped: list[int] = []
        for row, patterns in zip(candidates.rows, candidates.patterns, strict=True):
            prefix = _slice(names, row) + b"=" if names is not None else b""
            text = prefix + _slice(column, row)
            spans = self._spans(text, len(prefix), patterns)
            if not spans:
                continue
            if may_drop and self._drops(spans, result.hits):
                dropped.append(row)
                continue
            rows.append(row)
            texts.append(self._rewrite(text, len(prefix), spans, result.hits))
        if not rows:
            return Redacted(column, result.hits, np.array(dropped, np.int64))
        return Redacted(_with_texts(column, rows, texts), result.hits, np.array(dropped, np.int64))

    def _spans(self, text: bytes, value_at: int, patterns: tuple[int, ...]) -> list[_Span]:
        """Finds in `text[value_at:]`, ascending; those that overlap are one, under the first detector's name."""
        found: list[_Span] = []
        for number in patterns:
            found.extend(self._finds(text, value_at, number))
        if found and _MASK_SIGN in text:
            masks = [match.span() for match in self._own_masks.finditer(text)]
            found = [one for one in found if not any(a <= one.start and one.end <= b for a, b in masks)]
        if len(found) < 2:
            return found
        found.sort()
        merged = [found[0]]
        for one in found[1:]:
            last = merged[-1]
            if one.start >= last.end:
                merged.append(one)
            else:
                merged[-1] = _Span(last.start, max(last.end, one.end), self._stronger(last.detector, one.detector))
        return merged

    def _stronger(self, one: int, other: int) -> int:
        """The detector whose action leaves less; of equals the first in the table."""
        return min(one, other, key=lambda number: (STRICTEST_FIRST.index(self._actions[number]), number))

    def _finds(self, text: bytes, value_at: int, number: int) -> Iterator[_Span]:
        detector = self._detectors[number]
        for match in self._patterns[number].finditer(text):
            start, end = _masked_span(match)
            if detector.is_keyed and match.start() < value_at <= start <= value_at + _MAX_VALUE_OFFSET:
                start, end = value_at, len(text)
            start = max(start, value_at)
            if start < end and (detector.check is None or detector.check(text, start, end)):
                yield _Span(start, end, number)

    def _drops(self, spans: list[_Span], hits: Counter[Hit]) -> bool:
        """Whether any find's action is `drop`; counts it."""
        for span in spans:
            if self._actions[span.detector] is Action.DROP:
                hits[Hit(self._detectors[span.detector].name, Action.DROP)] += 1
                return True
        return False

    def _rewrite(self, text: bytes, value_at: int, spans: list[_Span], hits: Counter[Hit]) -> bytes:
        """`text[value_at:]` with masks in place of the finds."""
        pieces = _in_json(text, value_at, spans)
        parts: list[bytes] = []
        at = value_at
        for start, end, number, is_bare in pieces:
            action = self._actions[number] if self._actions[number] is not Action.DROP else Action.MASK
            name = self._detectors[number].name
            hits[Hit(name, action)] += 1
            mask = self._masks.mask(name, action, text[start:end])
            parts += (text[at:start], b'"%s"' % mask if is_bare else mask)
            at = end
        parts.append(text[at:])
        return b"".join(parts)


def _in_json(text: bytes, value_at: int, spans: list[_Span]) -> list[tuple[int, int, int, bool]]:
    """Finds as (start, end, detector, is bare), cut so that a JSON text stays one."""
    head = text[value_at : value_at + 64].lstrip()
    if head and head[0] in _OPENING:
        starts = np.array([one.start - value_at for one in spans], np.int64)
        ends = np.array([one.end - value_at for one in spans], np.int64)
        pieces = json_pieces(np.frombuffer(text, np.uint8)[value_at:], starts, ends)
        if pieces is not None:
            columns = (pieces.start + value_at, pieces.end + value_at, pieces.find, pieces.is_bare)
            rows = zip(*(column.tolist() for column in columns), strict=True)
            return [(start, end, spans[find].detector, is_bare) for start, end, find, is_bare in rows]
    return [(*one, False) for one in spans]


def _masked_span(match: re2._Match) -> tuple[int, int]:
    """The first group that took part, else the whole match."""
    for group in range(1, (match.lastindex or 0) + 1):
        start, end = match.span(group)
        if start >= 0:
            return start, end
    start, end = match.span()
    return start, end


def _slice(column: Utf8Column, row: int) -> bytes:
    begin = int(column.start[row])
    return column.buffer[begin : begin + int(column.length[row])].tobytes()


def _with_texts(column: Utf8Column, rows: list[int], texts: list[bytes]) -> Utf8Column:
    """`column` with `texts` in place of `rows` (ascending), in a new buffer."""
    sizes = np.fromiter(map(len, texts), np.int64, len(texts))
    length = column.length.copy()
    length[rows] = sizes
    start = np.cumsum(length) - length
    buffer = np.empty(int(length.sum()), np.uint8)
    changed = np.zeros(len(column), np.bool_)
    changed[rows] = True
    _copy_both(column.buffer, column.start, np.frombuffer(b"".join(texts), np.uint8), changed, length, buffer)
    return Utf8Column(buffer, start, length)


@njit(nogil=True, cache=True)
def _copy_both(
    old: NDArray[np.uint8],
    old_start: NDArray[np.int64],
    new: NDArray[np.uint8],
    changed: NDArray[np.bool_],
    length: NDArray[np.int64],
    buffer: NDArray[np.uint8],
) -> None:
    at, new_at = 0, 0
    for row in range(len(length)):
        size = length[row]
        if changed[row]:
            buffer[at : at + size] = new[new_at : new_at + size]
            new_at += size
        else:
            begin = old_start[row]
            buffer[at : at + size] = old[begin : begin + size]
        at += size
