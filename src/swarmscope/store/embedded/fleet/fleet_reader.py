"""What is stored of the fleet, back in columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from swarmscope.model.agents import (
    INFERENCE_OPERATIONS,
    NO_TEXT,
    TEXT_COLUMNS,
    AgentOperation,
    AgentSpans,
    Vocabulary,
)
from swarmscope.model.fleet import (
    GRAIN_NS,
    N_DURATION_BUCKETS,
    AgentRecord,
    AgentSpanRequest,
    ConversationSummary,
    Edges,
    Finding,
    FindingKind,
    StoredAgentSpans,
    Usage,
)
from swarmscope.model.labels import Utf8Column
from swarmscope.schema.agent_tables import (
    AGENT_EDGES,
    AGENT_FINDINGS,
    AGENT_SPANS,
    AGENT_USAGE,
    AGENTS,
    EDGE_MEASURES,
    USAGE_MEASURES,
)
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.fleet.minute_columns import (
    EDGE_NAMES,
    USAGE_NAMES,
    edges_to_rows,
    narrowed,
    rows_to_edges,
    rows_to_usage,
    usage_to_rows,
)
from swarmscope.store.embedded.fleet.recent_minutes import MinuteRows, RecentMinutes, joined_rows, summed

_SETTINGS = (
    "SETTINGS output_format_arrow_compression_method = 'none', output_format_arrow_low_cardinality_as_dictionary = 1"
)
_USAGE_KEYS = (*USAGE_NAMES, "operation")
_MAX_NS = (1 << 63) - 1
_INFERENCES = ", ".join(str(int(operation)) for operation in sorted(INFERENCE_OPERATIONS))
_TOTALS = ", ".join(str(int(each)) for each in (AgentOperation.INVOKE_AGENT, AgentOperation.INVOKE_WORKFLOW))


class EmbeddedFleetReader:
    """`FleetReader`; `whole_batch` is the highest batch that may be read."""

    whole_batch = 0

    def __init__(
        self, engine: Engine, vocabulary: Vocabulary, oldest_ns: tuple[Callable[[], int], Callable[[], int]]
    ) -> None:
        """`oldest_ns`: of spans and of minutes, the earliest time that is shown."""
        self._engine = engine
        self._vocabulary = vocabulary
        self.recent_edges = RecentMinutes(self._after_newest(AGENT_EDGES.name), len(EDGE_NAMES) + 1)
        self.recent_usage = RecentMinutes(self._after_newest(AGENT_USAGE.name), len(USAGE_NAMES) + 1)
        self._oldest_span_ns, self._oldest_minute_ns = oldest_ns

    def _after_newest(self, table: str) -> int:
        """The first minute of which nothing is stored yet."""
        newest = self._engine.columns(f"SELECT max(minute) AS newest, count() AS n FROM {table}")
        return int(newest["newest"][0]) + GRAIN_NS if newest and int(newest["n"][0]) else -_MAX_NS

    def _table(self, sql: str) -> pa.Table | None:
        return self._engine.table(f"{sql} {_SETTINGS}", add_settings=False)

    def _minutes(self, tenant: str, start_ns: int, end_ns: int) -> str:
        """WHERE of minutes in a range."""
        where = f"tenant = {_quoted(tenant)} AND minute >= {_bounded(max(start_ns, self._oldest_minute_ns()))}"
        return f"{where} AND minute < {_bounded(end_ns)} AND batch <= {self.whole_batch}"

    def read_edges(self, tenant: str, start_ns: int, end_ns: int, *, by_minute: bool = False) -> Edges:
        """As `FleetReader.read_edges`."""
        recent, from_ns = self._recent("edges", tenant, start_ns, end_ns)
        if recent is None:
            return self._stored_edges(tenant, start_ns, end_ns, by_minute=by_minute)
        if start_ns < from_ns:
            older = edges_to_rows(self._stored_edges(tenant, start_ns, from_ns, by_minute=by_minute), self.recent_edges)
            recent = joined_rows([older, recent])
        told, durations = summed(recent, by_minute=by_minute)
        return rows_to_edges(told, durations, self.recent_edges.keys)

    def _recent(self, kind: str, tenant: str, start_ns: int, end_ns: int) -> tuple[MinuteRows | None, int]:
        """What memory has of a range and from when on, whole minutes; None where it has nothing."""
        memory = self.recent_edges if kind == "edges" else self.recent_usage
        from_ns = max(memory.complete_from_ns, start_ns, self._oldest_minute_ns())
        return (memory.rows(tenant, from_ns, end_ns) if from_ns < end_ns else None), from_ns

    def _stored_edges(self, tenant: str, start_ns: int, end_ns: int, *, by_minute: bool) -> Edges:
        where = self._minutes(tenant, start_ns, end_ns)
        keys = [*EDGE_NAMES, "type", *(["minute"] if by_minute else [])]
        sums = ", ".join(f"sum({name}) AS {name}_sum" for name in EDGE_MEASURES)
        found = self._table(
            f"SELECT {', '.join(keys)}, {sums}, sumMap(buckets, counts) AS durations FROM {AGENT_EDGES.name} "
            f"WHERE {where} GROUP BY {', '.join(keys)}",
        )
        n = 0 if found is None else found.num_rows
        names = {name: self._codes(found, name, self._vocabulary) for name in EDGE_NAMES}
        return Edges(
            minute_ns=_numbers(found, "minute", np.int64) if by_minute else np.zeros(n, np.int64),
            type=_numbers(found, "type", np.uint8),
            measures=_matrix(found, EDGE_MEASURES),
            durations=_durations(found),
            **names,
        )

    def read_usage(
        self, tenant: str, start_ns: int, end_ns: int, by: tuple[str, ...], *, by_minute: bool = False
    ) -> Usage:
        """As `FleetReader.read_usage`. Raises ValueError where `by` names something else than a column."""
        if wrong := set(by) - set(_USAGE_KEYS):
            raise ValueError(f"usage is not told by {', '.join(sorted(wrong))}")
        recent, from_ns = self._recent("usage", tenant, start_ns, end_ns)
        if recent is None:
            return self._stored_usage(tenant, (start_ns, end_ns), by, by_minute=by_minute)
        # Equal codes in the columns asked for are one number.
        memory = self.recent_usage
        recent = recent._replace(key=memory.number(narrowed(memory.keys, by))[recent.key])
        if start_ns < from_ns:
            older = self._stored_usage(tenant, (start_ns, from_ns), by, by_minute=by_minute)
            recent = joined_rows([usage_to_rows(older, memory), recent])
        told, _ = summed(recent, by_minute=by_minute)
        return rows_to_usage(told, memory.keys)

    def _stored_usage(self, tenant: str, range_ns: tuple[int, int], by: tuple[str, ...], *, by_minute: bool) -> Usage:
        start_ns, end_ns = range_ns
        where = self._minutes(tenant, start_ns, end_ns)
        keys = [*(name for name in _USAGE_KEYS if name in by), *(["minute"] if by_minute else [])]
        sums = ", ".join(f"sum({name}) AS {name}_sum" for name in USAGE_MEASURES)
        grouping = f"GROUP BY {', '.join(keys)}" if keys else "HAVING count() > 0"
        found = self._table(f"SELECT {', '.join([*keys, sums])} FROM {AGENT_USAGE.name} WHERE {where} {grouping}")
        n = 0 if found is None else found.num_rows
        nothing = np.full(n, NO_TEXT, np.uint32)
        names = {name: self._codes(found, name, self._vocabulary) if name in by else nothing for name in USAGE_NAMES}
        return Usage(
            minute_ns=_numbers(found, "minute", np.int64) if by_minute else np.zeros(n, np.int64),
            operation=_numbers(found, "operation", np.uint8) if "operation" in by else np.zeros(n, np.uint8),
            measures=_matrix(found, USAGE_MEASURES),
            **names,
        )

    def read_agents(self, tenant: str) -> list[AgentRecord]:
        """As `FleetReader.read_agents`."""
        texts = ("id", "team", "version", "model", "provider", "framework", "service")
        last = ", ".join(f"argMax({name}, last_seen) AS l_{name}" for name in texts)
        found = self._table(
            f"SELECT name, min(first_seen) AS first, max(last_seen) AS last, {last} FROM {AGENTS.name} "
            f"WHERE tenant = {_quoted(tenant)} GROUP BY name ORDER BY name",
        )
        rows = [] if found is None else found.to_pylist()
        return [
            AgentRecord(
                row["name"], row["first"], row["last"], **{name: row[f"l_{name}"] for name in texts}, tenant=tenant
            )
            for row in rows
        ]

    def read_findings(self, tenant: str, start_ns: int, end_ns: int) -> list[Finding]:
        """As `FleetReader.read_findings`."""
        found = self._table(
            f"SELECT id, kind, agents, begin, end, confidence, summary, evidence FROM {AGENT_FINDINGS.name} FINAL "
            f"WHERE tenant = {_quoted(tenant)} AND begin < {_bounded(end_ns)} "
            f"AND (end = 0 OR end >= {_bounded(start_ns)}) AND begin >= {_bounded(self._oldest_minute_ns())} "
            "ORDER BY begin DESC, id",
        )
        rows = [] if found is None else found.to_pylist()
        return [
            Finding(
                row["id"], FindingKind(row["kind"]), tuple(row["agents"]), row["begin"], row["end"],
                row["confidence"], row["summary"], json.loads(row["evidence"]), tenant,
            )
            for row in rows
        ]  # fmt: skip

    def read_agent_spans(self, tenant: str, request: AgentSpanRequest) -> StoredAgentSpans:
        """As `FleetReader.read_agent_spans`."""
        where = [
            f"tenant = {_quoted(tenant)}",
            f"ts >= {_bounded(max(request.start_ns, self._oldest_span_ns()))}",
            f"ts < {_bounded(request.end_ns)}",
            f"batch <= {self.whole_batch}",
        ]
        if request.conversation is not None:
            where.append(f"conversation = {_quoted(request.conversation)}")
        if request.agents:
            where.append(f"agent IN ({_quoted(*request.agents)})")
        if request.trace_ids:
            where.append(f"trace_id IN ({_quoted(*request.trace_ids)})")
        listed = ", ".join(name for name in AGENT_SPANS.column_names() if name not in ("tenant", "batch"))
        found = self._table(
            f"SELECT * FROM (SELECT {listed} FROM {AGENT_SPANS.name} WHERE {' AND '.join(where)} "
            f"ORDER BY ts DESC LIMIT {int(request.max_spans)}) ORDER BY start, span_key",
        )
        return self._spans(found, tenant)

    def _spans(self, found: pa.Table | None, tenant: str) -> StoredAgentSpans:
        vocabulary = Vocabulary()
        spans = AgentSpans.blank(0 if found is None else found.num_rows, tenant)
        if found is None:
            return StoredAgentSpans(spans, np.zeros(0, np.uint32), vocabulary)
        for name in ("trace_id", "span_id"):
            ids: NDArray[np.uint8] = getattr(spans, name)
            ids[:] = np.frombuffer(b"".join(found.column(name).to_pylist()), np.uint8).reshape(ids.shape)
        spans.start_ns, spans.end_ns = _numbers(found, "start", np.int64), _numbers(found, "ts", np.int64)
        for name in TEXT_COLUMNS:
            setattr(spans, name, self._codes(found, name, vocabulary))
        known = set(found.column_names) - {
            "start",
            "ts",
            "trace_id",
            "span_id",
            "caller",
            "conversation",
            *TEXT_COLUMNS,
        }
        for name in sorted(known):
            setattr(spans, name, _numbers(found, name, getattr(spans, name).dtype.type))
        spans.conversation = Utf8Column.from_strings(found.column("conversation").to_pylist())
        return StoredAgentSpans(spans, self._codes(found, "caller", vocabulary), vocabulary)

    def conversations(
        self, tenant: str, start_ns: int, end_ns: int, max_conversations: int
    ) -> list[ConversationSummary]:
        """As `FleetReader.conversations`.

        Tokens and cost are those of calls of models, or where none tells any those of agents that nobody called.
        """

        def total(column: str) -> str:
            known = f"greatest({column}, 0)"
            return (
                f"if(countIf(operation IN ({_INFERENCES}) AND {column} > 0) > 0, "
                f"sumIf({known}, operation IN ({_INFERENCES})), "
                f"sumIf({known}, operation IN ({_TOTALS}) AND caller = ''))"
            )

        found = self._table(
            "SELECT conversation AS id, min(start) AS begin, max(ts) AS end, "
            "arraySort(groupUniqArrayIf(toString(agent), agent != '')) AS agents, "
            "toInt64(uniqExact(trace_id)) AS traces, toInt64(count()) AS spans, "
            "toInt64(countIf(status = 2)) AS errors, "
            f"toInt64({total('input_tokens')}) AS input_tokens, toInt64({total('output_tokens')}) AS output_tokens, "
            f"toFloat64({total('ifNotFinite(cost_usd, 0)')}) AS cost_usd FROM {AGENT_SPANS.name} "
            f"WHERE tenant = {_quoted(tenant)} AND conversation != '' AND batch <= {self.whole_batch} "
            f"AND ts >= {_bounded(max(start_ns, self._oldest_span_ns()))} AND ts < {_bounded(end_ns)} "
            f"GROUP BY id ORDER BY end DESC, id LIMIT {int(max_conversations)}",
        )
        rows = [] if found is None else found.to_pylist()
        return [
            ConversationSummary(
                row["id"], row["begin"], row["end"], tuple(row["agents"]), row["traces"], row["spans"], row["errors"],
                row["input_tokens"], row["output_tokens"], row["cost_usd"],
            )
            for row in rows
        ]  # fmt: skip

    def stored_keys(self, tenant: str, since_ns: int) -> NDArray[np.uint64]:
        """Keys [n] of spans that are stored and ended at or after a time."""
        found = self._table(
            f"SELECT span_key FROM {AGENT_SPANS.name} WHERE tenant = {_quoted(tenant)} AND ts >= {_bounded(since_ns)} "
            f"AND batch <= {self.whole_batch}",
        )
        return _numbers(found, "span_key", np.uint64)

    def _codes(self, found: pa.Table | None, name: str, vocabulary: Vocabulary) -> NDArray[np.uint32]:
        """The texts [n] of a column as codes."""
        if found is None:
            return np.zeros(0, np.uint32)
        encoded = pc.dictionary_encode(found.column(name)).combine_chunks()
        codes = [vocabulary.code_of(text) for text in encoded.dictionary.to_pylist()]
        taken: NDArray[np.uint32] = np.array(codes, np.uint32)[encoded.indices.to_numpy()]
        return taken


def _bounded(time_ns: int) -> int:
    """A time that is a 64-bit number."""
    return max(-_MAX_NS, min(_MAX_NS, int(time_ns)))


def _quoted(*texts: str | bytes) -> str:
    """SQL of texts: hexadecimal digits end no literal."""
    spelled = (text.encode("utf-8", "replace") if isinstance(text, str) else text for text in texts)
    return ", ".join(f"unhex('{text.hex()}')" for text in spelled)


def _numbers(found: pa.Table | None, name: str, dtype: type[np.generic]) -> NDArray[Any]:
    if found is None:
        return np.zeros(0, dtype)
    return np.array(found.column(name).to_numpy(), dtype)


def _matrix(found: pa.Table | None, names: tuple[str, ...]) -> NDArray[np.float64]:
    if found is None:
        return np.zeros((0, len(names)))
    return np.stack([_numbers(found, f"{name}_sum", np.float64) for name in names], axis=1)


def _durations(found: pa.Table | None) -> NDArray[np.uint32]:
    """Counts [n, N_DURATION_BUCKETS] of a column of pairs of lists: buckets, and how many each."""
    if found is None:
        return np.zeros((0, N_DURATION_BUCKETS), np.uint32)
    pairs = found.column("durations").combine_chunks()
    buckets, counts = pairs.field(0), pairs.field(1)
    row = np.repeat(np.arange(len(pairs)), np.diff(buckets.offsets.to_numpy()))
    filled = np.zeros((len(pairs), N_DURATION_BUCKETS), np.uint32)
    filled[row, buckets.flatten().to_numpy()] = counts.flatten().to_numpy()
    return filled
