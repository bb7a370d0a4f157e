"""What an earlier process left in the journal of logs, brought into parts at start.

As for metrics (`embedded.replay`): damage is told of and kept, and what lies in the machine ends the start instead. A
day of a segment that is in parts already is not inserted again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from swarmscope.instrument.metrics import JOURNAL_DAMAGED_BYTES, JOURNAL_DAMAGED_SEGMENTS
from swarmscope.schema.log_tables import LOG_SHAPES, LOG_STREAMS
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.journal import Frame, Journal, read_segment
from swarmscope.store.embedded.logs.flush import LogPartWriter
from swarmscope.store.embedded.logs.generation import LiveLines, from_frame
from swarmscope.store.embedded.logs.lines import Lines, rows_of
from swarmscope.store.embedded.logs.recent_lines import RecentLines
from swarmscope.store.embedded.logs.shapes import ShapeTable
from swarmscope.store.embedded.unusable import explained, is_of_the_machine

_log = logging.getLogger(__name__)
_NAME_TABLES = (LOG_STREAMS.name, LOG_SHAPES.name)


@dataclass(slots=True)
class _Leftover:
    """A segment, and what keeps it from being taken whole."""

    path: Path
    commits: list[Lines] = field(default_factory=list)
    names: dict[str, list[pa.RecordBatch]] = field(default_factory=dict)
    damaged_bytes: int = 0
    lost_lines: int = 0  # their streams are lost
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


class LogReplay:
    """The leftover segments. `insert_names` comes before catalogue and shapes are loaded, `finish` after."""

    def __init__(self, journal: Journal) -> None:
        """Read the segments. Raises StoreUnusableError where a file cannot be read."""
        self._journal = journal
        self._leftover = [_read(path) for path in journal.leftover()]
        self._is_damaged = not all(segment.is_whole for segment in self._leftover)

    def insert_names(self, engine: Engine) -> None:
        """Streams and shapes first: lines of all segments may name them. Raises StoreUnusableError."""
        for segment in self._leftover:
            for table in _NAME_TABLES:
                for batch in segment.names.get(table, []):
                    segment.attempt(partial(engine.insert_arrow, table, batch))
            self._is_damaged |= not segment.is_whole

    def finish(self, catalogue: Catalogue, shapes: ShapeTable, writer: LogPartWriter, recent: RecentLines) -> None:
        """Write what is left into parts, and remove or set aside the segments. `recent` learns the lines."""
        highest = max(
            (int(lines.stream.max()) for each in self._leftover for lines in each.commits if len(lines.stream)),
            default=-1,
        )
        # The row of a stream may be what is damaged: its number must not go to another one.
        catalogue.reserve_numbers(highest + 1, 0)
        for segment in self._leftover:
            _write(segment, catalogue, shapes, writer, recent)
            if segment.is_whole and not (self._is_damaged and segment.lost_lines):
                segment.path.unlink()
                continue
            kept = self._journal.set_aside(segment.path)
            JOURNAL_DAMAGED_BYTES.inc(segment.damaged_bytes)
            _log.error(
                "journal segment %s of logs is damaged: %d bytes cannot be read, %d lines belong to streams that are "
                "lost with them, and the tables refused %d commits%s; all else was taken, and the file is kept as %s",
                segment.path.name, segment.damaged_bytes, segment.lost_lines, len(segment.refusals),
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
    lines, batches = from_frame(frame)
    unknown = batches.keys() - set(_NAME_TABLES)
    if unknown:
        raise ValueError(f"unknown tables {sorted(unknown)}")
    for table, batch in batches.items():
        segment.names.setdefault(table, []).append(batch)
    if len(lines.ts_ns):
        segment.commits.append(lines)


def _write(
    segment: _Leftover, catalogue: Catalogue, shapes: ShapeTable, writer: LogPartWriter, recent: RecentLines
) -> None:
    live = LiveLines(0, 0)
    for lines in segment.commits:
        known = catalogue.are_live(lines.stream.astype(np.int64)) & (lines.shape < shapes.next_shape)
        segment.lost_lines += int((~known).sum())
        live.stage_lines(lines)
        live.publish()
    lines = live.snapshot()
    known = catalogue.are_live(lines.stream.astype(np.int64)) & (lines.shape < shapes.next_shape)
    if not known.all():
        lines = rows_of(lines, known)
    _log.info("replaying journal segment %s of logs: %d lines", segment.path.name, len(lines.ts_ns))
    recent.reserve(len(lines.ts_ns))
    recent.admit(lines)
    segment.attempt(lambda: writer.write(lines, {}, segment.number, writer.inserted(segment.number)))
