"""The answer of a log query: lines in order of time, and the label sets that they belong to."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

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


@dataclass(frozen=True, slots=True)
class AnswerLabels:
    """The label sets of an answer in columns, as every line may have one of its own."""

    names: tuple[str, ...]  # sorted
    texts: tuple[tuple[str, ...], ...]  # by name: the text of each code
    codes: NDArray[np.int32]  # [n_names, n_sets] negative where a set has no such label
    kinds: NDArray[np.int32]  # [n_names, n_sets] LabelKind

    @classmethod
    def from_streams(cls, streams: Sequence[AnswerStream]) -> AnswerLabels:
        """The same label sets in columns."""
        names = sorted({name for each in streams for name in each.labels})
        codes = np.full((len(names), len(streams)), -1, np.int32)
        kinds = np.zeros_like(codes)
        texts: list[dict[str, int]] = [{} for _ in names]
        for at, each in enumerate(streams):
            for kind, labels in zip(LabelKind, (each.stream, each.metadata, each.parsed), strict=True):
                for name, text in labels.items():
                    row = names.index(name)
                    codes[row, at], kinds[row, at] = texts[row].setdefault(text, len(texts[row])), kind
        return cls(tuple(names), tuple(map(tuple, texts)), codes, kinds)

    @property
    def n_sets(self) -> int:
        """How many label sets."""
        return int(self.codes.shape[1])

    def to_streams(self) -> tuple[AnswerStream, ...]:
        """The label sets as dictionaries."""
        streams = tuple(AnswerStream({}, {}, {}) for _ in range(self.n_sets))
        for name, texts, codes, kinds in zip(self.names, self.texts, self.codes, self.kinds, strict=True):
            for at in np.flatnonzero(codes >= 0).tolist():
                each = streams[at]
                (each.stream, each.metadata, each.parsed)[kinds[at]][name] = texts[codes[at]]
        return streams


@dataclass(frozen=True, slots=True)
class LogsResult:
    """Lines in the order that was asked for; line i has label set `group[i]`."""

    ts_ns: NDArray[np.int64]  # [n]
    line: Utf8Column  # [n]
    group: NDArray[np.int64]  # [n]
    labels: AnswerLabels
    stats: LogStats = LogStats()

    def __len__(self) -> int:
        return len(self.ts_ns)

    @property
    def streams(self) -> tuple[AnswerStream, ...]:
        """The label sets as dictionaries, made anew by every call."""
        return self.labels.to_streams()


def to_result(block: LineBlock, order: NDArray[np.int64], stats: LogStats) -> LogsResult:
    """The lines `order` [n] of a block that has been through its pipeline."""
    group, labels = _grouped(block)
    return LogsResult(block.ts_ns[order], block.line.take(order), group[order], labels, stats)


def _grouped(block: LineBlock) -> tuple[NDArray[np.int64], AnswerLabels]:
    names: list[str] = []
    texts: list[tuple[str, ...]] = []
    codes: list[NDArray[np.int32]] = []
    kinds: list[NDArray[np.int32]] = []
    for name in sorted(all_names(block)):
        column = block.label(name)
        if not (column.length >= 0).any():
            continue
        own, first = distinct_texts(column)
        # An empty value is a value: it gets the code behind all others.
        codes.append(np.where(column.length == 0, np.int32(len(first)), own).astype(np.int32))
        texts.append((*_decoded(column.take(first)), ""))
        names.append(name)
        kinds.append(_kinds_of(block, name))
    if not names:
        none = np.zeros((0, min(len(block), 1)), np.int32)
        return np.zeros(len(block), np.int64), AnswerLabels((), (), none, none)
    # Where a label comes from takes part: a group's labels are told apart by that.
    of_lines, origins = np.vstack(codes), np.vstack(kinds)
    group, first_row = group_columns(np.vstack([of_lines, origins]))
    return group, AnswerLabels(tuple(names), tuple(texts), of_lines[:, first_row], origins[:, first_row])


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
