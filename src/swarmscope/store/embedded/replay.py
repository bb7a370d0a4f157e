"""What an earlier process left in the journal, brought into parts at start.

Damage is told of and kept: a segment of which something could not be read goes to `journal/damaged/`.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.instrument.metrics import JOURNAL_DAMAGED_BYTES, JOURNAL_DAMAGED_SEGMENTS
from swarmscope.schema.tables import SERIES
from swarmscope.store.catalogue import Catalogue
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.flush import PartWriter
from swarmscope.store.embedded.generation import Commit, LiveRows
from swarmscope.store.embedded.journal import Journal, read_segment
from swarmscope.store.embedded.runs import Rows

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Leftover:
    path: Path
    commits: list[Commit]
    damaged_bytes: int


class Replay:
    """The journal's leftover segments. `insert_series` comes before the catalogue is loaded, `finish` after."""

    def __init__(self, journal: Journal) -> None:
        """Read the segments. Raises what reading a file raises."""
        self._journal = journal
        self._leftover = []
        for path in journal.leftover():
            content = read_segment(path)
            commits = [Commit.from_frame(frame) for frame in content.frames]
            self._leftover.append(_Leftover(path, commits, content.damaged_bytes))
        self._is_damaged = any(segment.damaged_bytes for segment in self._leftover)

    def insert_series(self, engine: Engine) -> None:
        """Series first: samples of all segments may name them."""
        for segment in self._leftover:
            batches = [commit.batches[SERIES.name] for commit in segment.commits if SERIES.name in commit.batches]
            if batches:
                engine.insert_arrow(SERIES.name, pa.concat_batches(batches))

    def finish(self, catalogue: Catalogue, writer: PartWriter) -> None:
        """Write what is left into parts, and remove or set aside the segments."""
        if self._leftover:
            # The row of a series may be what is damaged: its number must not go to another one.
            catalogue.reserve_numbers(self._highest_ref() + 1, 0)
        for segment in self._leftover:
            lost_rows = _write(segment, catalogue, writer)
            if segment.damaged_bytes or (self._is_damaged and lost_rows):
                kept = self._journal.set_aside(segment.path)
                JOURNAL_DAMAGED_BYTES.inc(segment.damaged_bytes)
                _log.error(
                    "journal segment %s is damaged: %d bytes cannot be read, and %d rows belong to series that are "
                    "lost with them; all else was taken, and the file is kept as %s",
                    segment.path.name, segment.damaged_bytes, lost_rows, kept,
                )  # fmt: skip
            else:
                segment.path.unlink()
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


def _write(segment: _Leftover, catalogue: Catalogue, writer: PartWriter) -> int:
    """Returns how many rows were left out because nobody knows their series."""
    samples = LiveRows()
    batches: dict[str, list[pa.RecordBatch]] = {}
    lost_rows = 0
    for commit in segment.commits:
        known = catalogue.are_live(commit.rows.ref.astype(np.int64))
        rows = commit.rows
        samples.append(rows if known.all() else Rows(rows.ref[known], rows.ts_ms[known], rows.value[known]))
        lost_rows += len(known) - int(known.sum())
        for table, batch in commit.batches.items():
            if table != SERIES.name:
                kept = _of_known_series(batch, catalogue)
                lost_rows += batch.num_rows - kept.num_rows
                batches.setdefault(table, []).append(kept)
    _log.info("replaying journal segment %s: %d samples", segment.path.name, len(samples))
    writer.write(samples.snapshot(), batches)
    return lost_rows


def _of_known_series(batch: pa.RecordBatch, catalogue: Catalogue) -> pa.RecordBatch:
    if "ref" not in batch.schema.names:
        return batch
    known = catalogue.are_live(batch.column("ref").to_numpy().astype(np.int64))
    return batch if known.all() else batch.filter(pa.array(known))
