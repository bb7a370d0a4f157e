"""Redaction of one column of texts."""

from __future__ import annotations

import re
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
# What may be part of a find that a find beside it hid: a word or a number, or a sign that belongs to one.
_JOINED_BEHIND = re.compile(rb"[+(.:/-]{0,3}[0-9A-Za-z_\x80-\xff]")
_JOINED_BEFORE = re.compile(rb"[0-9A-Za-z_\x80-\xff][+).:/-]{0,3}\Z")
# A user's pattern may match its own masks; those of ours end when no find touches another.
_MAX_ROUNDS = 16
# How far behind a name's end its value may begin: `=`, and what a pattern takes for quotes.
_MAX_VALUE_OFFSET = 6


class Hit(NamedTuple):
    """What hits are counted by."""

    detector: str
    action: Action


class _Tally(NamedTuple):
    """Hits by detector."""

    replaced: list[int]
    dropped: list[int]


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
        self._replacing = [Action.MASK if action is Action.DROP else action for action in self._actions]
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
        hits = _Tally([0] * len(self._detectors), [0] * len(self._detectors))
        rows: list[int] = []
        texts: list[bytes] = []
        dropped: list[int] = []
        for row, patterns in zip(candidates.rows, candidates.patterns, strict=True):
            prefix = _slice(names, row) + b"=" if names is not None else b""
            text = prefix + _slice(column, row)
            redacted = self._redact_text(text, len(prefix), patterns, hits, may_drop)
            if redacted is None:
                dropped.append(row)
            elif redacted is not text:
                rows.append(row)
                texts.append(redacted[len(prefix) :])
        if rows:
            column = _with_texts(column, rows, texts)
        return Redacted(column, self._counted(hits), np.array(dropped, np.int64))

    def _counted(self, hits: _Tally) -> Counter[Hit]:
        counted: Counter[Hit] = Counter()
        for detector, action, replaced, dropped in zip(
            self._detectors, self._replacing, hits.replaced, hits.dropped, strict=True
        ):
            if replaced:
                counted[Hit(detector.name, action)] = replaced
            if dropped:
                counted[Hit(detector.name, Action.DROP)] = dropped
        return counted

    def _redact_text(
        self, text: bytes, value_at: int, patterns: Sequence[int], hits: _Tally, may_drop: bool
    ) -> bytes | None:
        """`text` with masks in `text[value_at:]`, itself where nothing was found, None where it is to be dropped."""
        for _ in range(_MAX_ROUNDS):
            spans = self._spans(text, value_at, patterns)
            if not spans or (may_drop and self._drops(spans, hits)):
                return None if spans else text
            text, is_joined = self._rewrite(text, value_at, spans, hits)
            if not is_joined:
                break
            # Slow path: what touched a find may be a find itself, now that it stands alone.
            patterns = range(len(self._detectors))
        return text

    def _spans(self, text: bytes, value_at: int, patterns: Sequence[int]) -> list[_Span]:
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

    def _drops(self, spans: list[_Span], hits: _Tally) -> bool:
        """Whether any find's action is `drop`; counts it."""
        for span in spans:
            if self._actions[span.detector] is Action.DROP:
                hits.dropped[span.detector] += 1
                return True
        return False

    def _rewrite(self, text: bytes, value_at: int, spans: list[_Span], hits: _Tally) -> tuple[bytes, bool]:
        """`text` with masks in place of the finds, and whether a mask touches a word."""
        parts: list[bytes] = []
        at, is_joined = 0, False
        for start, end, number, is_bare in _in_json(text, value_at, spans):
            action = self._replacing[number]
            name = self._detectors[number].name
            hits.replaced[number] += 1
            mask = self._masks.mask(name, action, text[start:end])
            parts += (text[at:start], b'"%s"' % mask if is_bare else mask)
            at = end
            is_joined = is_joined or _is_joined(text, start, end)
        parts.append(text[at:])
        return b"".join(parts), is_joined


def _in_json(text: bytes, value_at: int, spans: list[_Span]) -> list[tuple[int, int, int, bool]]:
    """Finds as (start, end, detector, is bare), cut so that a JSON text stays one."""
    head = text[value_at : value_at + 64].lstrip()
    if head and head[0] in _OPENING:
        finds = np.array([(one.start - value_at, one.end - value_at) for one in spans], np.int64)
        pieces = json_pieces(np.frombuffer(text, np.uint8, offset=value_at), finds)
        if pieces is not None:
            return [
                (start + value_at, end + value_at, spans[find].detector, is_bare != 0)
                for start, end, find, is_bare in pieces
            ]
    return [(*one, False) for one in spans]


def _masked_span(match: re2._Match) -> tuple[int, int]:
    """The first group that took part, else the whole match."""
    for group in range(1, (match.lastindex or 0) + 1):
        start, end = match.span(group)
        if start >= 0:
            return start, end
    start, end = match.span()
    return start, end


def _is_joined(text: bytes, start: int, end: int) -> bool:
    behind, before = text[end : end + 6], text[max(start - 6, 0) : start]
    return _JOINED_BEHIND.match(behind) is not None or _JOINED_BEFORE.search(before) is not None


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
