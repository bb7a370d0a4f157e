"""What an earlier process left in the journal of spans, brought into parts at start.

As for metrics (`embedded.replay`): damage is told of and kept, and what lies in the machine ends the start instead. A
day of a segment that is in parts already is not inserted again. The judge is asked as at any other flush.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.instrument.metrics import JOURNAL_DAMAGED_BYTES, JOURNAL_DAMAGED_SEGMENTS
from swarmscope.schema.span_tables import SPAN_RESOURCES, SPAN_SCOPES, SPAN_SHAPES
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.journal import Frame, Journal, read_segment
from swarmscope.store.embedded.recent_digests import RecentDigests
from swarmscope.store.embedded.spans.commit import SpanNames
from swarmscope.store.embedded.spans.flush import SpanPartWriter
from swarmscope.store.embedded.spans.generation import from_frame
from swarmscope.store.embedded.spans.identity import span_digests
from swarmscope.store.embedded.spans.span_columns import LiveSpans, Spans, rows_of
from swarmscope.store.embedded.unusable import explained, is_of_the_machine

_log = logging.getLogger(__name__)
_NAME_TABLES = (SPAN_SHAPES.name, SPAN_RESOURCES.name, SPAN_SCOPES.name)


@dataclass(slots=True)
class _Leftover:
    """A segment, and what keeps it from being taken whole."""

    path: Path
    commits: list[Spans] = field(default_factory=list)
    names: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)
    damaged_bytes: int = 0
    lost_spans: int = 0  # what they refer to is lost
    refusals: list[str] = field(default_factory=list)  # why something was not taken

    @property
    def is_whole(self) -> bool:
        return not self.damaged_bytes and not self.refusals

    @property
    def number(self) -> int:
        return int(self.path.stem)

    def attempt(self, work: Callable[[], object]) -> bool:
        """Whether `work` succeeded. Raises StoreUnusableError where the machine is at fault."""
        try:
            work()
        except Exception as error:
            if is_of_the_machine(error):
                raise explained(f"journal segment {self.path}", self.path.parent, error) from error
            self.refusals.append(str(error).splitlines()[0] if str(error) else type(error).__name__)
            return False
        return True


class SpanReplay:
    """The leftover segments. `insert_names` comes before shapes, resources and scopes are loaded, `finish` after."""

    def __init__(self, journal: Journal) -> None:
        """Read the segments. Raises StoreUnusableError where a file cannot be read."""
        self._journal = journal
        self._leftover = [_read(path) for path in journal.leftover()]
        self._is_damaged = not all(segment.is_whole for segment in self._leftover)

    def insert_names(self, engine: Engine) -> None:
        """What spans refer to first: those of all segments may name it. Raises StoreUnusableError."""
        for segment in self._leftover:
            for table in _NAME_TABLES:
                for batch in segment.names.get(table, []):
                    segment.attempt(partial(engine.insert_arrow, table, batch))
            self._is_damaged |= not segment.is_whole

    def finish(self, names: SpanNames, writer: SpanPartWriter, recent: RecentDigests) -> None:
        """Write what is left into parts, and remove or set aside the segments. `recent` learns the spans."""
        if len(self._leftover) > 1:
            writer.foresee([spans for segment in self._leftover for spans in segment.commits])
        for segment in self._leftover:
            _write(segment, names, writer, recent)
            if segment.is_whole and not (self._is_damaged and segment.lost_spans):
                segment.path.unlink()
                continue
            kept = self._journal.set_aside(segment.path)
            JOURNAL_DAMAGED_BYTES.inc(segment.damaged_bytes)
            _log.error(
                "journal segment %s of spans is damaged: %d bytes cannot be read, %d spans refer to what is lost with "
                "them, and the tables refused %d commits%s; all else was taken, and the file is kept as %s",
                segment.path.name, segment.damaged_bytes, segment.lost_spans, len(segment.refusals),
                f" ({segment.refusals[0]})" if segment.refusals else "", kept,
            )  # fmt: skip
        damaged = self._journal.damaged()
        JOURNAL_DAMAGED_SEGMENTS.inc(len(damaged))
        if damaged:
            _log.warning("%d damaged journal segments lie in %s", len(damaged), damaged[0].parent)


def _read(path: Path) -> _Leftover:
    try:
        content = read_segment(path)
    except OSError as error:
        raise explained(f"journal segment {path}", path.parent, error) from error
    segment = _Leftover(path, damaged_bytes=content.damaged_bytes)
    for frame in content.frames:
        segment.attempt(partial(_take_frame, segment, frame))
    return segment


def _take_frame(segment: _Leftover, frame: Frame) -> None:
    spans, batches = from_frame(frame)
    unknown = batches.keys() - set(_NAME_TABLES)
    if unknown:
        raise ValueError(f"unknown tables {sorted(unknown)}")
    for table, batch in batches.items():
        segment.names.setdefault(table, []).append(batch)
    if len(spans.ts_ns):
        segment.commits.append(spans)


def _write(segment: _Leftover, names: SpanNames, writer: SpanPartWriter, recent: RecentDigests) -> None:
    live = LiveSpans(0, 0)
    for spans in segment.commits:
        live.stage(spans)
        live.publish()
    spans = live.snapshot()
    known = (
        (spans.shape < names.shapes.next_shape)
        & (spans.resource < len(names.resources))
        & (spans.scope < len(names.scopes))
    )
    segment.lost_spans = int((~known).sum())
    if segment.lost_spans:
        spans = rows_of(spans, known)
    _log.info("replaying journal segment %s of spans: %d spans", segment.path.name, len(spans.ts_ns))
    learn(spans, names, recent)
    segment.attempt(lambda: writer.write(spans, {}, segment.number, writer.inserted(segment.number)))


def learn(spans: Spans, names: SpanNames, recent: RecentDigests) -> None:
    """Remember spans, so that they are not taken again."""
    if len(spans.ts_ns) == 0:
        return
    recent.reserve(len(spans.ts_ns))
    of_row, tenants = names.shapes.tenant_of(spans.shape.astype(np.int64))
    for number in np.unique(of_row).tolist():
        rows: NDArray[np.int64] = np.flatnonzero(of_row == number)
        recent.admit(span_digests(rows_of(spans, rows), tenants[number], recent.seed))
