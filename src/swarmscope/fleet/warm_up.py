"""Compiling the kernels that watch over a fleet, those of `analysis.agents` among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.conversations import to_conversation
from swarmscope.analysis.agents.graphs import to_graph
from swarmscope.analysis.agents.runs import to_run
from swarmscope.fleet.finding_lines import to_lines
from swarmscope.fleet.series import Moment
from swarmscope.fleet.settings import FleetSettings
from swarmscope.fleet.sums import sum_edges, sum_usage
from swarmscope.fleet.tenant_watch import TenantParts, TenantWatch
from swarmscope.fleet.unwritten import Outcome
from swarmscope.model.agents import AgentOperation, AgentSpans, CostSource, Vocabulary
from swarmscope.model.fleet import Finding, FindingKind, StoredAgentSpans
from swarmscope.model.labels import Utf8Column
from swarmscope.model.metrics import UNKNOWN_SERIES

_NS_PER_S = 1_000_000_000
_NOW_NS = 1_000 * _NS_PER_S
_N = 4


class _NothingKnown:
    """A `SeriesIndex` to which every series is new."""

    seed = 1

    def resolve(self, tenant: str, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        del tenant
        return np.full(len(keys), UNKNOWN_SERIES, np.int64)


def warm_up() -> None:
    """Compile, or load from the cache."""
    vocabulary, index = Vocabulary(), _NothingKnown()
    settings = FleetSettings(max_known_spans=64, max_recent_spans=64, max_agents=16, max_series=16)
    tenant = TenantWatch("warm-up", settings, vocabulary, TenantParts(index.seed))
    # Parents first, and children first: who comes early waits.
    for first_key, step in ((1, 1), (100 + _N, -1)):
        for part in _parts(vocabulary, first_key, step):
            tenant.take(part, _NOW_NS)
    tenant.expire(_NOW_NS + 10_000 * _NS_PER_S)
    tenant.judge(_NOW_NS)
    tenant.publication(index, Moment(2, 1)).written()
    rows = tenant.begin_write()
    if rows is not None:
        tenant.unwritten.end(Outcome.STORED)
        sum_edges([rows.edges, rows.edges], by_minute=False)
        usage = sum_usage([rows.usage], ("agent",), by_minute=False)
        to_graph(rows.edges, vocabulary, 1.0, usage)
        stored = StoredAgentSpans(rows.spans, rows.caller, vocabulary)
        to_conversation(stored)
        to_run(stored, _NOW_NS)
    to_lines([Finding("id", FindingKind.CYCLE, ("a",), 1, 0, 1.0, "")], index, "warm-up", _NOW_NS)


def _parts(vocabulary: Vocabulary, first_key: int, step: int) -> list[AgentSpans]:
    """A chain of spans, each the parent of the next, one at a time."""
    spans = AgentSpans.blank(_N, "warm-up")
    spans.span_key[:] = np.arange(_N, dtype=np.int64) * step + first_key
    spans.parent_key[1:] = spans.span_key[:-1]
    spans.trace_id[:, 0] = first_key
    spans.span_id[:, 0] = np.arange(_N)
    spans.start_ns[:], spans.end_ns[:] = _NOW_NS - 2 * _NS_PER_S, _NOW_NS - _NS_PER_S
    spans.agent[:] = [vocabulary.code_of(name) for name in ("a", "b", "", "a")]
    spans.service[:] = vocabulary.code_of("s")
    spans.operation[:] = [
        AgentOperation.INVOKE_AGENT,
        AgentOperation.HANDOFF,
        AgentOperation.NONE,
        AgentOperation.CHAT,
    ]
    spans.input_tokens[-1], spans.cost_usd[-1], spans.cost_source[-1] = 3, 0.5, CostSource.SPAN
    spans.conversation_key[:] = 5
    spans.conversation = Utf8Column.from_strings(["c"] * _N)
    order = range(_N) if step > 0 else range(_N - 1, -1, -1)
    return [spans.take(np.array([row])) for row in order]
