"""What an earlier process left in the journal, brought into parts at start.

Damage is told of and kept: a segment of which something could not be read, or that the tables do not take, goes to
`journal/damaged/`, and everything else in it is taken. What lies in the machine (a full disk, say) ends the start
instead: the journal stays as it is, and the next start finds it.
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
from swarmscope.schema.tables import METRIC_TABLES, SERIES
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.flush import PartWriter
from swarmscope.store.embedded.generation import Commit, LiveRows
from swarmscope.store.embedded.journal import Frame, Journal, read_segment
from swarmscope.store.embedded.runs import Rows
from swarmscope.store.embedded.unusable import explained, is_of_the_machine

_log = logging.getLogger(__name__)


_TABLES = frozenset(table.name for table in METRIC_TABLES)
_NO_ROWS = Rows(np.zeros(0, np.uint32), np.zeros(0, np.int64), np.zeros(0))


@dataclass(slots=True)
class _Leftover:
    """A segment, and what keeps it from being taken whole."""

    path: Path
    commits: list[Commit] = field(default_factory=list)
    damaged_bytes: int = 0
    lost_rows: int = 0  # their series are lost
    refusals: list[str] = field(default_factory=list)  # why rows were not taken

    @property
    def is_whole(self) -> bool:
        return not self.damaged_bytes and not self.refusals

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


class Replay:
    """The journal's leftover segments. `insert_series` comes before the catalogue is loaded, `finish` after."""

    def __init__(self, journal: Journal) -> None:
        """Read the segments. Raises StoreUnusableError where a file cannot be read."""
        self._journal = journal
        self._leftover = [_read(path) for path in journal.leftover()]
        self._is_damaged = not all(segment.is_whole for segment in self._leftover)

    def insert_series(self, engine: Engine) -> None:
        """Series first: samples of all segments may name them. Raises StoreUnusableError, as `finish` does."""
        for segment in self._leftover:
            batches = [commit.batches[SERIES.name] for commit in segment.commits if SERIES.name in commit.batches]
            refusals = list(segment.refusals)
            if batches and not segment.attempt(partial(_insert_series, engine, batches)):
                # Slow path: what is at fault must not cost the others.
                segment.refusals = refusals
                for batch in batches:
                    segment.attempt(partial(_insert_series, engine, [batch]))
            self._is_damaged |= not segment.is_whole

    def finish(self, catalogue: Catalogue, writer: PartWriter) -> None:
        """Write what is left into parts, and remove or set aside the segments."""
        if self._leftover:
            # The row of a series may be what is damaged: its number must not go to another one.
            catalogue.reserve_numbers(self._highest_ref() + 1, 0)
        for segment in self._leftover:
            _write(segment, catalogue, writer)
            if segment.is_whole and not (self._is_damaged and segment.lost_rows):
                segment.path.unlink()
                continue
            kept = self._journal.set_aside(segment.path)
            JOURNAL_DAMAGED_BYTES.inc(segment.damaged_bytes)
            _log.error(
                "journal segment %s is damaged: %d bytes cannot be read, %d rows belong to series that are lost with "
                "them, and the tables refused %d commits%s; all else was taken, and the file is kept as %s",
                segment.path.name, segment.damaged_bytes, segment.lost_rows, len(segment.refusals),
                f" ({segment.refusals[0]})" if segment.refusals else "", kept,
            )  # fmt: skip
        damaged = self._journal.damaged()
        JOURNAL_DAMAGED_SEGMENTS.set(len(damaged))
        if damaged:
            _log.warning("%d damaged journal segments lie in %s", len(damaged), damaged[0].parent)

    def _highest_ref(self) -> int:
        refs = [_refs(commit) for segment in self._leftover for commit in segment.commits]
        return max((int(ref.max()) for ref in refs if len(ref)), default=-1)


def _refs(commit: Commit) -> NDArray[np.int64]:
    others = [batch.column("ref").to_numpy() for batch in commit.batches.values() if "ref" in batch.schema.names]
    return np.concatenate([commit.rows.ref, *others]).astype(np.int64)


def _read(path: Path) -> _Leftover:
    try:
        content = read_segment(path)
    except OSError as error:
        raise explained(f"journal segment {path}", path.parent, error) from error
    segment = _Leftover(path, damaged_bytes=content.damaged_bytes)
    for frame in content.frames:
        segment.attempt(partial(_take, frame, segment.commits))
    return segment


def _insert_series(engine: Engine, batches: list[pa.RecordBatch]) -> None:
    engine.insert_arrow(SERIES.name, pa.concat_batches(batches))


def _take(frame: Frame, commits: list[Commit]) -> None:
    commits.append(_commit_of(frame))


def _commit_of(frame: Frame) -> Commit:
    """Raises ValueError (Arrow's errors are some) where the bytes are whole and are no commit all the same."""
    try:
        commit = Commit.from_frame(frame)
    except KeyError as error:
        raise ValueError(f"column {error} is missing") from None
    if len({len(column) for column in commit.rows}) != 1:
        raise ValueError("its columns differ in length")
    for table, batch in commit.batches.items():
        if table not in _TABLES:
            raise ValueError(f"there is no table {table}")
        if "ref" in batch.schema.names and not pa.types.is_integer(batch.schema.field("ref").type):
            raise ValueError(f"the series numbers of table {table} are no numbers")
    return commit


def _write(segment: _Leftover, catalogue: Catalogue, writer: PartWriter) -> None:
    """Bring a segment into parts, without the rows whose series nobody knows."""
    commits = [_of_known_series(commit, catalogue) for commit in segment.commits]
    segment.lost_rows = sum(map(_n_rows, segment.commits)) - sum(map(_n_rows, commits))
    samples = LiveRows()
    batches: dict[str, list[pa.RecordBatch]] = {}
    for commit in commits:
        samples.append(commit.rows)
        for table, batch in commit.batches.items():
            batches.setdefault(table, []).append(batch)
    _log.info("replaying journal segment %s: %d samples", segment.path.name, len(samples))
    refusals = list(segment.refusals)
    if not segment.attempt(lambda: writer.write(samples.snapshot(), batches)):
        # Slow path: what is at fault must not cost the others.
        segment.refusals = refusals
        for commit in commits:
            segment.attempt(partial(writer.write, commit.rows, {}))
            for table, batch in commit.batches.items():
                segment.attempt(partial(writer.write, _NO_ROWS, {table: [batch]}))


def _n_rows(commit: Commit) -> int:
    others: int = sum(batch.num_rows for table, batch in commit.batches.items() if table != SERIES.name)
    return len(commit.rows.ref) + others


def _of_known_series(commit: Commit, catalogue: Catalogue) -> Commit:
    """What is left of a commit when series rows, which are in already, and rows of unknown series are left out."""
    known = catalogue.are_live(commit.rows.ref.astype(np.int64))
    rows = commit.rows
    kept = rows if known.all() else Rows(rows.ref[known], rows.ts_ms[known], rows.value[known])
    others = {table: _of_known(batch, catalogue) for table, batch in commit.batches.items() if table != SERIES.name}
    return Commit(kept, others)


def _of_known(batch: pa.RecordBatch, catalogue: Catalogue) -> pa.RecordBatch:
    if "ref" not in batch.schema.names:
        return batch
    known = catalogue.are_live(batch.column("ref").to_numpy().astype(np.int64))
    return batch if known.all() else batch.filter(pa.array(known))
