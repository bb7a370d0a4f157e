"""Prometheus text 0.0.4/1.0.0 and OpenMetrics 0.0.1/1.0.0 to columns."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from swarmscope.receivers.scrape.exposition import ExposedExemplars, Exposition, ExpositionError, Family
from swarmscope.receivers.scrape.kernels import (
    EXEMPLARS,
    HELP,
    NOTES,
    ROWS,
    SLOW,
    TYPE,
    Columns,
    Fault,
    allocate,
    count_lines,
    scan_exposition,
)
from swarmscope.receivers.scrape.label_text import decode_utf8, unescape

_TEXT_TYPES = frozenset({"counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"})
_UNKNOWN_TYPES = frozenset({"untyped", "unknown"})
_REASONS = {
    Fault.NAME: "expected a metric name",
    Fault.BRACES: "the label braces or a quote in them are not closed",
    Fault.VALUE: "the value is not a number",
    Fault.TIMESTAMP: "the timestamp is not a number",
    Fault.TRAILING: "unexpected text after the value or timestamp",
    Fault.COMMENT: "a metadata line that is not complete or not known",
    Fault.NO_EOF: "data does not end with # EOF",
    Fault.AFTER_EOF: "unexpected data after # EOF",
    Fault.EMPTY_LINE: "an empty line is not allowed in OpenMetrics",
    Fault.EXEMPLAR: "the exemplar is not {labels} value [timestamp]",
}
_SHOWN_BYTES = 120


class FamilyCache:
    """The families of the last body: metadata seldom changes, and its bytes' hash tells when it has not."""

    def __init__(self) -> None:
        self.hash = -1
        self.families: list[Family] = []
        self.of_note: NDArray[np.int64] = np.zeros(0, np.int64)


def decode_text(
    body: NDArray[np.uint8], *, openmetrics: bool, seed: int, cache: FamilyCache | None = None
) -> Exposition:
    """Columns of an uncompressed body. The result points into `body`, which MUST NOT change while it lives.

    Raises ExpositionError with the line's number where the body is malformed; labels inside braces are checked by
    whoever decodes them.
    """
    columns = allocate(int(count_lines(body)), seed)
    fault, position = scan_exposition(columns, body, openmetrics)
    if fault:
        raise ExpositionError(describe_fault(body, Fault(fault), position))
    _fill_slow(columns, body)
    cache = FamilyCache() if cache is None else cache
    _read_families(columns, body, cache)
    rows, exemplars = int(columns.counter[ROWS]), int(columns.counter[EXEMPLARS])
    note = columns.note[:rows]
    family = np.where(note >= 0, cache.of_note[note], -1) if len(cache.of_note) else note
    return Exposition(
        buffer=body,
        key=columns.key[:rows],
        series_start=columns.series_start[:rows],
        series_end=columns.series_end[:rows],
        family=family,
        value=columns.value[:rows],
        ts_ms=columns.ts_ms[:rows],
        families=cache.families,
        exemplars=ExposedExemplars(
            columns.exemplar[:exemplars, 0],
            columns.exemplar[:exemplars, 1],
            columns.exemplar[:exemplars, 2],
            columns.exemplar_value[:exemplars],
            columns.exemplar_ts_ms[:exemplars],
        ),
    )


def describe_fault(body: NDArray[np.uint8], fault: Fault, position: int) -> str:
    """`line 3: …: the line's text`."""
    number = int(np.count_nonzero(body[:position] == ord("\n"))) + 1
    line = body[position : position + _SHOWN_BYTES + 1].tobytes().split(b"\n", 1)[0]
    shown = line[:_SHOWN_BYTES].decode(errors="replace")
    return f"line {number}: {_REASONS[fault]}: {shown!r}"


def line_of(body: NDArray[np.uint8], position: int) -> int:
    """The number of the line that holds byte `position`, from 1."""
    return int(np.count_nonzero(body[:position] == ord("\n"))) + 1


def _fill_slow(columns: Columns, body: NDArray[np.uint8]) -> None:
    """Numbers of many digits: Python's parser rounds correctly. # Slow path"""
    entries = columns.slow[: int(columns.counter[SLOW])]
    if not len(entries):
        return
    data = body.tobytes()
    for what, where, start, end in entries.tolist():
        number = float(data[start:end])
        if math.isinf(number) or (what in (1, 3) and abs(number) > 9e15):
            raise ExpositionError(f"line {line_of(body, start)}: number out of range: {data[start:end].decode()!r}")
        if what == 0:
            columns.value[where] = number
        elif what == 1:
            columns.ts_ms[where] = int(number * 1000)
        elif what == 2:
            columns.exemplar_value[where] = number
        else:
            columns.exemplar_ts_ms[where] = int(number * 1000)


def _read_families(columns: Columns, body: NDArray[np.uint8], cache: FamilyCache) -> None:
    digest = int(columns.notes_hash[0])
    notes = columns.notes[: int(columns.counter[NOTES])]
    if digest == cache.hash and len(cache.of_note) == len(notes):
        return
    families: dict[str, Family] = {}
    position: dict[str, int] = {}
    of_note = np.full(len(notes), -1, np.int64)
    data = body.tobytes()
    for index, (kind, name_start, name_end, start, end) in enumerate(notes.tolist()):
        name = decode_utf8(data[name_start:name_end], "metric name")
        if name.startswith('"'):
            name = unescape(name[1:-1])
        text = decode_utf8(data[start:end], "metadata")
        known = families.get(name) or Family(name)
        of_note[index] = position.setdefault(name, len(position))
        if kind == TYPE:
            where = f"line {line_of(body, name_start)}"
            families[name] = Family(name, _type_of(text, where), known.unit, known.help)
        elif kind == HELP:
            # OpenMetrics escapes quotes in HELP, Prometheus text only backslash and newline.
            families[name] = Family(name, known.kind, known.unit, unescape(text))
        else:
            families[name] = Family(name, known.kind, text, known.help)
    cache.hash, cache.families, cache.of_note = digest, list(families.values()), of_note


def _type_of(text: str, where: str) -> str:
    if text in _UNKNOWN_TYPES:
        return "unknown"
    if text not in _TEXT_TYPES:
        allowed = ", ".join(sorted(_TEXT_TYPES | _UNKNOWN_TYPES))
        raise ExpositionError(f"{where}: invalid metric type {text!r}; allowed: {allowed}")
    return text
