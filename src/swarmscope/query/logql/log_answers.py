"""The answer of a log query: lines in order of time, and the label sets that they belong to."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from operator import attrgetter

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.contracts import Cancellation
from swarmscope.model.labels import DEFAULT_TENANT, Utf8Column
from swarmscope.query.logql.blocks import LabelKind, LineBlock
from swarmscope.query.logql.formats import all_names
from swarmscope.query.logql.text_interning import distinct_texts
from swarmscope.query.promql.row_groups import group_columns


class NeverCancelled:
    """A query that nobody ends."""

    remaining_s = math.inf

    def check(self) -> None:
        """Never raises."""


@dataclass(frozen=True, slots=True)
class LogsRequest:
    """A log query over start_ns <= ts < end_ns: the `limit` newest lines of all streams, or the oldest."""

    text: str
    start_ns: int
    end_ns: int
    limit: int = 100
    backward: bool = True
    tenant: str = DEFAULT_TENANT
    cancellation: Cancellation = field(default_factory=NeverCancelled)


@dataclass(frozen=True, slots=True)
class LogStats:
    """What a query cost; lines and bytes are those that were read."""

    lines: int = 0
    bytes: int = 0
    parse_s: float = 0.0
    execute_s: float = 0.0


@dataclass(frozen=True, slots=True)
class AnswerStream:
    """Labels of lines by where they come from. A name stands in one of the three alone."""

    stream: dict[str, str]
    metadata: dict[str, str]
    parsed: dict[str, str]

    @property
    def labels(self) -> dict[str, str]:
        """All labels, sorted by name: what makes a result stream of Loki without `categorize-labels`."""
        return dict(sorted({**self.stream, **self.metadata, **self.parsed}.items()))


_LABELS_OF_KIND = {
    LabelKind.STREAM: attrgetter("stream"),
    LabelKind.METADATA: attrgetter("metadata"),
    LabelKind.MADE: attrgetter("parsed"),
}


@dataclass(frozen=True, slots=True)
class LogsResult:
    """Lines in the order that was asked for; line i has the labels `streams[group[i]]`."""

    ts_ns: NDArray[np.int64]  # [n]
    line: Utf8Column  # [n]
    group: NDArray[np.int64]  # [n]
    streams: tuple[AnswerStream, ...]
    stats: LogStats = LogStats()

    def __len__(self) -> int:
        return len(self.ts_ns)


def to_result(block: LineBlock, order: NDArray[np.int64], stats: LogStats) -> LogsResult:
    """The lines `order` [n] of a block that has been through its pipeline."""
    group, streams = _grouped(block)
    return LogsResult(block.ts_ns[order], block.line.take(order), group[order], streams, stats)


def _grouped(block: LineBlock) -> tuple[NDArray[np.int64], tuple[AnswerStream, ...]]:
    names, texts, codes, kinds = [], [], [], []
    for name in sorted(all_names(block)):
        column = block.label(name)
        if not (column.length >= 0).any():
            continue
        own, first = distinct_texts(column)
        # An empty value is a value: it gets the code behind all others.
        codes.append(np.where(column.length == 0, np.int32(len(first)), own).astype(np.int32))
        texts.append([*_decoded(column.take(first)), ""])
        names.append(name)
        kinds.append(_kinds_of(block, name))
    if not names:
        return np.zeros(len(block), np.int64), (AnswerStream({}, {}, {}),) if len(block) else ()
    # Where a label comes from takes part: a group's labels are told apart by that.
    group, first_row = group_columns(np.vstack([*codes, *kinds]))
    streams = tuple(AnswerStream({}, {}, {}) for _ in first_row)
    for name, values, own, kind in zip(names, texts, codes, kinds, strict=True):
        of_groups, origins = own[first_row], kind[first_row]
        for origin in LabelKind:
            chosen = np.flatnonzero((of_groups >= 0) & (origins == origin)).tolist()
            if chosen:
                labels_of = _LABELS_OF_KIND[origin]
                for place, code in zip(chosen, of_groups[chosen].tolist(), strict=True):
                    labels_of(streams[place])[name] = values[code]
    return group, streams


def _kinds_of(block: LineBlock, name: str) -> NDArray[np.int32]:
    """Where the label's value comes from, by line [n]."""
    kinds = np.full(len(block), np.int32(LabelKind.STREAM))
    metadata, made = block.metadata_label(name), block.made.get(name)
    if metadata is not None:
        kinds[metadata.length >= 0] = LabelKind.METADATA
    if made is not None:
        kinds[made.length >= 0] = LabelKind.MADE
    return kinds


def _decoded(column: Utf8Column) -> list[str]:
    starts, lengths = column.start.tolist(), column.length.tolist()
    return [
        column.buffer[start : start + length].tobytes().decode(errors="replace")
        for start, length in zip(starts, lengths, strict=True)
    ]
