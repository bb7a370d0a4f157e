"""A `LogReader` and `LogSink` over plain Python data, for tests of what reads logs. # Slow path: tests alone"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from swarmscope.model.contracts import ReadBudget, Receipt
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.labels import DEFAULT_TENANT, LabelSets, Utf8Column
from swarmscope.model.logs import (
    SPAN_ID_BYTES,
    TRACE_ID_BYTES,
    Level,
    LineCounts,
    LineRequest,
    LogBatch,
    LogRows,
    pack_values,
)
from swarmscope.model.matchers import Matcher
from swarmscope.model.series import ABSENT, LabelFrame, Selection
from swarmscope.query.promql.memory_reader import ListSymbols, matches

_GRAIN_NS = 10_000_000_000


@dataclass(frozen=True, slots=True)
class MemoryLine:
    """One line with all that is known of it."""

    stream: int
    ts_ns: int
    line: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    level: Level = Level.UNKNOWN
    severity: int = 0
    observed_ns: int = 0
    trace_id: bytes = bytes(TRACE_ID_BYTES)
    span_id: bytes = bytes(SPAN_ID_BYTES)


class MemoryLogReader:
    """Lines of any number of tenants; regexes of matchers are Python's."""

    def __init__(self, batch_lines: int = 100_000, *, obeys_hints: bool = True) -> None:
        """`batch_lines`: what a scan gives at once. `obeys_hints`: lines that break a request's hints are left out."""
        self._batch_lines = batch_lines
        self._obeys_hints = obeys_hints
        self._symbols = ListSymbols()
        self._streams: list[tuple[str, dict[str, str]]] = []
        self._lines: list[MemoryLine] = []
        self._shapes: list[tuple[str, ...]] = [()]
        self._followers: list[MemoryFollowing] = []
        self.lines_read = 0

    @property
    def symbols(self) -> ListSymbols:
        """The strings behind stream labels' codes."""
        return self._symbols

    def add(self, labels: Mapping[str, str], lines: Sequence[MemoryLine], tenant: str = DEFAULT_TENANT) -> None:
        """Add lines (their `stream` is set here) to the stream of these labels."""
        stream = self._stream(tenant, dict(labels))
        added = [replace(line, stream=stream) for line in lines]
        self._lines.extend(added)
        for line in added:
            self._shape(tuple(line.metadata))
        for follower in self._followers:
            follower.take(added)

    def add_lines(
        self, labels: Mapping[str, str], lines: Sequence[tuple[int, str]], metadata: Mapping[str, str] | None = None
    ) -> None:
        """Add (ts_ns, line) pairs, all with the same metadata."""
        self.add(labels, [MemoryLine(0, ts_ns, line, metadata or {}) for ts_ns, line in lines])

    def write_logs(self, batch: LogBatch) -> Receipt:
        """As `LogSink.write_logs`; the batch's streams MUST all be told by labels."""
        streams = batch.new_labels.to_dicts()
        sets = batch.metadata.to_dicts()
        texts = batch.line.to_strings()
        for i, position in enumerate(batch.stream.tolist()):
            line = MemoryLine(
                0, int(batch.ts_ns[i]), texts[i], sets[i], Level(int(batch.level[i])), int(batch.severity[i]),
                int(batch.observed_ns[i]), batch.trace_id[i].tobytes(), batch.span_id[i].tobytes(),
            )  # fmt: skip
            self.add(streams[position], [line], batch.tenant)
        return Receipt(lines=len(batch))

    def _stream(self, tenant: str, labels: dict[str, str]) -> int:
        key = (tenant, labels)
        if key not in self._streams:
            for text in (*labels, *labels.values()):
                self._symbols.learn(text)
            self._streams.append(key)
        return self._streams.index(key)

    def _shape(self, names: tuple[str, ...]) -> int:
        if names not in self._shapes:
            self._shapes.append(names)
        return self._shapes.index(names)

    def select_streams(self, tenant: str, matchers: Sequence[Matcher], start_ns: int, end_ns: int) -> Selection:
        """Streams that match and have lines in the range."""
        alive = {line.stream for line in self._lines if start_ns <= line.ts_ns < end_ns}
        return self.selection_of([ref for ref in self.matching(tenant, matchers) if ref in alive])

    def matching(self, tenant: str, matchers: Sequence[Matcher]) -> list[int]:
        """Numbers of the streams that match."""
        return [
            ref
            for ref, (owner, labels) in enumerate(self._streams)
            if owner == tenant and all(matches(matcher, labels) for matcher in matchers)
        ]

    def selection_of(self, refs: Sequence[int]) -> Selection:
        """The streams of these numbers."""
        names = sorted({name for ref in refs for name in self._streams[ref][1]})
        codes = np.full((len(names), len(refs)), ABSENT, np.int32)
        for position, ref in enumerate(refs):
            for name, value in self._streams[ref][1].items():
                codes[names.index(name), position] = self._symbols.code(value)
        return Selection(np.array(refs, np.int64), LabelFrame(tuple(names), codes))

    def label_names(self, tenant: str, matchers: Sequence[Sequence[Matcher]], start_ns: int, end_ns: int) -> list[str]:
        """Sorted names of stream labels."""
        return sorted({name for labels in self._labels(tenant, matchers, start_ns, end_ns) for name in labels})

    def label_values(
        self, tenant: str, name: str, matchers: Sequence[Sequence[Matcher]], start_ns: int, end_ns: int
    ) -> list[str]:
        """Sorted values of one stream label."""
        every = self._labels(tenant, matchers, start_ns, end_ns)
        return sorted({labels[name] for labels in every if name in labels})

    def _labels(
        self, tenant: str, matchers: Sequence[Sequence[Matcher]], start_ns: int, end_ns: int
    ) -> list[dict[str, str]]:
        refs = {
            int(ref)
            for group in (matchers or [()])
            for ref in self.select_streams(tenant, group, start_ns, end_ns).refs
        }
        return [self._streams[ref][1] for ref in sorted(refs)]

    def shape_names(self, shape: int) -> tuple[str, ...]:
        """The metadata names of a shape."""
        return self._shapes[shape]

    def metadata_names(self) -> frozenset[str]:
        """The names of all shapes."""
        return frozenset(name for names in self._shapes for name in names)

    def scan_lines(self, selection: Selection, request: LineRequest, budget: ReadBudget) -> Iterator[LogRows]:
        """All lines of the request in batches."""
        found = self._found(selection, request)
        for begin in range(0, len(found), self._batch_lines):
            yield self._charged(found[begin : begin + self._batch_lines], selection, request, budget)

    def walk_lines(
        self, selection: Selection, request: LineRequest, budget: ReadBudget, *, backward: bool, batch_lines: int
    ) -> Iterator[LogRows]:
        """Lines in slices of time; lines of one instant stay together."""
        found = self._found(selection, request)
        times = sorted({line.ts_ns for line in found}, reverse=backward)
        waiting: list[MemoryLine] = []
        for ts_ns in times:
            waiting += [line for line in found if line.ts_ns == ts_ns]
            if len(waiting) >= batch_lines or ts_ns == times[-1]:
                yield self._charged(waiting, selection, request, budget)
                waiting = []

    def _found(self, selection: Selection, request: LineRequest) -> list[MemoryLine]:
        refs = set(selection.refs.tolist())
        return [line for line in self._lines if line.stream in refs and self._is_wanted(line, request)]

    def _is_wanted(self, line: MemoryLine, request: LineRequest) -> bool:
        if not request.start_ns <= line.ts_ns < request.end_ns:
            return False
        if not self._obeys_hints:
            return True
        return (
            all(needle in line.line for needle in request.needles)
            and not any(text in line.line for text in request.absent)
            and (request.levels is None or line.level in request.levels)
        )

    def _charged(
        self, lines: Sequence[MemoryLine], selection: Selection, request: LineRequest, budget: ReadBudget
    ) -> LogRows:
        budget.cancellation.check()
        self.lines_read += len(lines)
        if budget.used_samples + len(lines) > budget.max_samples:
            raise LimitExceededError("the query would load too many lines", limit="limits.max_query_samples")
        return self.rows_of(lines, selection, request)

    def rows_of(self, lines: Sequence[MemoryLine], selection: Selection, request: LineRequest) -> LogRows:
        """Lines as rows of a selection, sorted by stream and time."""
        place = {ref: position for position, ref in enumerate(selection.refs.tolist())}
        lines = sorted(lines, key=lambda line: (place[line.stream], line.ts_ns))
        rows = replace(
            LogRows.empty(),
            stream=np.array([place[line.stream] for line in lines], np.int64),
            ts_ns=np.array([line.ts_ns for line in lines], np.int64),
        )
        if request.columns.line:
            rows = replace(rows, line=Utf8Column.from_strings([line.line for line in lines]))
        if request.columns.level:
            rows = replace(rows, level=np.array([line.level for line in lines], np.uint8))
        return self._with_metadata(rows, lines) if request.columns.metadata else rows

    def _with_metadata(self, rows: LogRows, lines: Sequence[MemoryLine]) -> LogRows:
        n = len(lines)
        sets = LabelSets.from_dicts([line.metadata for line in lines])
        packed = pack_values(sets.offsets, sets.values.buffer, sets.values.start, sets.values.length)
        return replace(
            rows,
            shape=np.array([self._shapes.index(tuple(line.metadata)) for line in lines], np.int64),
            metadata=Utf8Column(*packed),
            severity=np.array([line.severity for line in lines], np.uint8),
            observed_ns=np.array([line.observed_ns for line in lines], np.int64),
            trace_id=np.array([list(line.trace_id) for line in lines], np.uint8).reshape(n, TRACE_ID_BYTES),
            span_id=np.array([list(line.span_id) for line in lines], np.uint8).reshape(n, SPAN_ID_BYTES),
        )

    @property
    def count_grain_ns(self) -> int:
        """Ten seconds."""
        return _GRAIN_NS

    def count_lines(self, selection: Selection, range_ns: tuple[int, int], budget: ReadBudget) -> LineCounts:
        """Every line as a row of its own; buckets may stand more than once."""
        budget.cancellation.check()
        if range_ns[0] % _GRAIN_NS or range_ns[1] % _GRAIN_NS:
            raise ValueError(f"{range_ns} is not aligned to {_GRAIN_NS} ns")
        found = self._found(selection, LineRequest(range_ns[0] + 1, range_ns[1] + 1))
        place = {ref: position for position, ref in enumerate(selection.refs.tolist())}
        return LineCounts(
            np.array([place[line.stream] for line in found], np.int64),
            np.array([line.level for line in found], np.uint8),
            np.array([-(-line.ts_ns // _GRAIN_NS) * _GRAIN_NS for line in found], np.int64),
            np.ones(len(found), np.int64),
            np.array([len(line.line.encode()) for line in found], np.int64),
        )

    def follow(self, tenant: str, matchers: Sequence[Matcher]) -> MemoryFollowing:
        """Lines that are added from now on."""
        following = MemoryFollowing(self, tenant, matchers)
        self._followers.append(following)
        return following

    def forget(self, following: MemoryFollowing) -> None:
        """Let nothing more go to a follower."""
        self._followers = [each for each in self._followers if each is not following]


class MemoryFollowing:
    """Implements `Following`; drops nothing."""

    def __init__(self, reader: MemoryLogReader, tenant: str, matchers: Sequence[Matcher]) -> None:
        self._reader = reader
        self._query = (tenant, tuple(matchers))
        self._changed = threading.Condition()
        self._waiting: list[MemoryLine] = []

    def take(self, lines: Sequence[MemoryLine]) -> None:
        """Lines that were added."""
        with self._changed:
            refs = set(self._reader.matching(*self._query))
            self._waiting.extend(line for line in lines if line.stream in refs)
            self._changed.notify()

    def next(self, timeout_s: float) -> tuple[list[LogRows], int]:
        """As `Following.next`."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting, timeout_s)
            lines, self._waiting = self._waiting, []
        if not lines:
            return [], 0
        return [self._reader.rows_of(lines, self.selection(), LineRequest(0, 0))], 0

    def selection(self) -> Selection:
        """As `Following.selection`."""
        return self._reader.selection_of(self._reader.matching(*self._query))

    def close(self) -> None:
        """Stop following."""
        self._reader.forget(self)
