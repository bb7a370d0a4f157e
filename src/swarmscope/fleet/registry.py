"""Which agents there are: each that any signal has shown, what was last said of it, and when it was seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.agents import NO_TEXT, AgentSpans, Vocabulary
from swarmscope.model.fleet import AgentRecord

_NO_ROW = -1
# What is said of an agent; the order is that of the columns of `Registry._said`.
_SAID = ("agent_id", "team", "agent_version", "model", "provider", "framework", "service")
_FIELDS = ("id", "team", "version", "model", "provider", "framework", "service")


class _Seen(NamedTuple):
    """One row an agent."""

    agent: NDArray[np.uint32]  # [n_rows] code of the name
    first_ns: NDArray[np.int64]  # [n_rows]
    last_ns: NDArray[np.int64]  # [n_rows]
    said: NDArray[np.uint32]  # [n_rows, len(_SAID)] codes
    changed: NDArray[np.bool_]  # [n_rows] since `take_changed`


class _Sayings(NamedTuple):
    """What spans say of agents."""

    agent: NDArray[np.uint32]  # [n]
    start_ns: NDArray[np.int64]  # [n]
    end_ns: NDArray[np.int64]  # [n]
    said: NDArray[np.uint32]  # [n, len(_SAID)]


class Registry:
    """Agents of one tenant, up to a bound; of further ones nothing is kept. Not thread-safe."""

    def __init__(self, vocabulary: Vocabulary, max_agents: int, tenant: str) -> None:
        self._vocabulary, self._max_agents, self._tenant = vocabulary, max_agents, tenant
        self._row_of = np.full(1024, _NO_ROW, np.int32)  # [n_codes]
        self._n = 0
        self._seen = _make(64)

    def __len__(self) -> int:
        return self._n

    def add(self, records: list[AgentRecord]) -> None:
        """Agents that are known from before; what was said since then stands."""
        for record in records:
            row = self._row(self._vocabulary.code_of(record.name))
            if row == _NO_ROW:
                continue
            seen = self._seen
            is_known = seen.last_ns[row] > 0
            seen.first_ns[row] = min(record.first_seen_ns, seen.first_ns[row]) if is_known else record.first_seen_ns
            seen.last_ns[row] = max(record.last_seen_ns, seen.last_ns[row])
            for column, name in enumerate(_FIELDS):
                if seen.said[row, column] == NO_TEXT:
                    seen.said[row, column] = self._vocabulary.code_of(getattr(record, name))

    def see_names(self, names: list[str], now_ns: int) -> None:
        """Agents that another signal names now."""
        for name in names:
            row = self._row(self._vocabulary.code_of(name)) if name else _NO_ROW
            if row != _NO_ROW:
                seen = self._seen
                seen.first_ns[row] = min(seen.first_ns[row], now_ns) if seen.last_ns[row] else now_ns
                seen.last_ns[row] = max(seen.last_ns[row], now_ns)
                seen.changed[row] = True

    def see_spans(self, spans: AgentSpans, now_ns: int) -> None:
        """Settled spans, in the order in which they ended; an open one (end 0) is seen now."""
        self._reserve(np.concatenate([np.unique(spans.agent), np.unique(spans.target)]))
        said = np.stack([getattr(spans, name) for name in _SAID], axis=1)
        _see(self._seen, self._row_of, _Sayings(spans.agent, spans.start_ns, spans.end_ns, said), now_ns)
        # Who is called is there, though it may send nothing itself.
        nothing = np.full_like(said, NO_TEXT)
        _see(self._seen, self._row_of, _Sayings(spans.target, spans.start_ns, spans.end_ns, nothing), now_ns)

    def records(self, since_ns: int = 0) -> list[AgentRecord]:
        """Agents seen since then, by name."""
        rows = np.flatnonzero(self._seen.last_ns[: self._n] >= max(since_ns, 1))
        return sorted((self._record(row) for row in rows.tolist()), key=lambda record: record.name)

    def record(self, name: str) -> AgentRecord | None:
        """One agent, or None where nothing is known of it."""
        code = self._vocabulary.code_of(name)
        row = int(self._row_of[code]) if code < len(self._row_of) else _NO_ROW
        return None if row == _NO_ROW or not self._seen.last_ns[row] else self._record(row)

    def take_changed(self) -> tuple[AgentRecord, ...]:
        """Agents that were seen since the last call; hand them back with `keep_changed` if they were not written."""
        rows = np.flatnonzero(self._seen.changed[: self._n])
        self._seen.changed[: self._n] = False
        return tuple(self._record(row) for row in rows.tolist())

    def keep_changed(self, records: tuple[AgentRecord, ...]) -> None:
        """These are still to be written."""
        for record in records:
            row = self._row(self._vocabulary.code_of(record.name))
            if row != _NO_ROW:
                self._seen.changed[row] = True

    def forget(self, before_ns: int) -> None:
        """Let go of agents that were not seen since then. # Slow path"""
        kept = np.flatnonzero(self._seen.last_ns[: self._n] >= before_ns)
        if len(kept) == self._n:
            return
        seen = self._seen
        self._seen = _Seen(
            seen.agent[kept], seen.first_ns[kept], seen.last_ns[kept], seen.said[kept], seen.changed[kept]
        )
        self._n = len(kept)
        self._row_of[:] = _NO_ROW
        self._row_of[self._seen.agent] = np.arange(self._n)

    def _record(self, row: int) -> AgentRecord:
        seen, text = self._seen, self._vocabulary.text
        said = {name: text(int(code)) for name, code in zip(_FIELDS, seen.said[row], strict=True)}
        first_ns, last_ns = int(seen.first_ns[row]), int(seen.last_ns[row])
        return AgentRecord(text(int(seen.agent[row])), first_ns, last_ns, **said, tenant=self._tenant)

    def _row(self, code: int) -> int:
        self._reserve(np.array([code], np.uint32))
        return int(self._row_of[code])

    def _reserve(self, codes: NDArray[np.uint32]) -> None:
        """Rows for agents by the codes of their names, as far as there is room."""
        codes = codes[codes > NO_TEXT]
        if not len(codes):
            return
        if int(codes.max()) >= len(self._row_of):
            more = max(int(codes.max()) + 1, 2 * len(self._row_of)) - len(self._row_of)
            self._row_of = np.append(self._row_of, np.full(more, _NO_ROW, np.int32))
        for code in np.unique(codes[self._row_of[codes] == _NO_ROW]).tolist():
            if self._n == self._max_agents:
                return
            if self._n == len(self._seen.agent):
                larger = _make(2 * self._n + 1)
                for name in larger._fields:
                    getattr(larger, name)[: self._n] = getattr(self._seen, name)
                self._seen = larger
            self._seen.agent[self._n] = code
            self._row_of[code] = self._n
            self._n += 1


def _make(n_rows: int) -> _Seen:
    none = np.full((n_rows, len(_SAID)), NO_TEXT, np.uint32)
    return _Seen(
        np.zeros(n_rows, np.uint32), np.zeros(n_rows, np.int64), np.zeros(n_rows, np.int64), none,
        np.zeros(n_rows, np.bool_),
    )  # fmt: skip


@njit(nogil=True, cache=True)
def _see(seen: _Seen, row_of: NDArray[np.int32], spans: _Sayings, now_ns: int) -> None:
    for i in range(len(spans.agent)):
        agent, start_ns, end_ns = spans.agent[i], spans.start_ns[i], spans.end_ns[i]
        if agent <= NO_TEXT or row_of[agent] == _NO_ROW:
            continue
        row = row_of[agent]
        # A clock that runs ahead does not make an agent seen in the future.
        last_ns = min(end_ns, now_ns) if end_ns > 0 else now_ns
        first_ns = min(start_ns, last_ns)
        if seen.last_ns[row] == 0 or first_ns < seen.first_ns[row]:
            seen.first_ns[row] = first_ns
        is_newest = last_ns >= seen.last_ns[row]
        if is_newest:
            seen.last_ns[row] = last_ns
        for column in range(spans.said.shape[1]):
            code = spans.said[i, column]
            if code != NO_TEXT and (is_newest or seen.said[row, column] == NO_TEXT):
                seen.said[row, column] = code
        seen.changed[row] = True
