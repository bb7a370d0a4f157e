"""`python -m bench.fleet_reading`: the graph and the registry of a large fleet's last hour, as the API asks for them.

A thousand agents, each of which reaches ten others: an hour of ten million spans, of which two million are
interactions, written as the watch does, every ten seconds.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from swarmscope.analysis.agents.graphs import to_graph
from swarmscope.app.clock import SystemClock
from swarmscope.model.agents import NO_TEXT, AgentOperation, AgentSpans, Vocabulary
from swarmscope.model.fleet import (
    GRAIN_NS,
    N_DURATION_BUCKETS,
    AgentRecord,
    EdgeMeasure,
    Edges,
    FleetRows,
    Usage,
    UsageMeasure,
)
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings

_AGENTS, _PEERS, _MODELS = 1000, 10, 5
_WRITES, _WRITE_S = 360, 10
_INTERACTIONS = 2_000_000 // _WRITES
_OPERATIONS = (AgentOperation.CHAT, AgentOperation.EXECUTE_TOOL, AgentOperation.INVOKE_AGENT)
_ROUNDS = 9


class _Fleet:
    """What such a fleet does in ten seconds."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._draw = np.random.default_rng(1)
        self.names = [f"agent-{number:04}" for number in range(_AGENTS)]
        self._agents = np.array([vocabulary.code_of(name) for name in self.names], np.uint32)
        self._models = np.array([vocabulary.code_of(f"model-{number}") for number in range(_MODELS)], np.uint32)
        self._peers = self._agents[self._draw.integers(0, _AGENTS, (_AGENTS, _PEERS))]

    def rows(self, minute_ns: int, agents: tuple[AgentRecord, ...]) -> FleetRows:
        """One write."""
        nothing = AgentSpans.blank(0)
        return FleetRows(nothing, np.zeros(0, np.uint32), self._edges(minute_ns), self._usage(minute_ns), agents)

    def _edges(self, minute_ns: int) -> Edges:
        drawn = self._draw.integers(0, _AGENTS * _PEERS, _INTERACTIONS)
        edge, which = np.unique(drawn, return_inverse=True)
        durations = np.zeros((len(edge), N_DURATION_BUCKETS), np.uint32)
        buckets = np.clip(self._draw.normal(25, 4, _INTERACTIONS), 0, N_DURATION_BUCKETS - 1).astype(np.int64)
        np.add.at(durations, (which, buckets), 1)
        measures = self._draw.random((len(edge), len(EdgeMeasure)))
        measures[:, EdgeMeasure.COUNT] = durations.sum(axis=1)
        none = np.full(len(edge), NO_TEXT, np.uint32)
        return Edges(
            np.full(len(edge), minute_ns), self._agents[edge // _PEERS], self._peers.reshape(-1)[edge],
            np.ones(len(edge), np.uint8), none, none, measures, durations,
        )  # fmt: skip

    def _usage(self, minute_ns: int) -> Usage:
        n = _AGENTS * len(_OPERATIONS)
        models = np.repeat(self._models[np.arange(_AGENTS) % _MODELS], len(_OPERATIONS))
        none = np.full(n, NO_TEXT, np.uint32)
        return Usage(
            np.full(n, minute_ns), np.repeat(self._agents, len(_OPERATIONS)), none, none, none, models,
            np.tile(np.array(_OPERATIONS, np.uint8), _AGENTS), none,
            self._draw.random((n, len(UsageMeasure))),
        )  # fmt: skip


def _median(name: str, work: Callable[[], object]) -> None:
    took, cpu = [], []
    for _ in range(_ROUNDS):
        began, began_cpu = time.perf_counter(), time.process_time()
        work()
        took.append(time.perf_counter() - began)
        cpu.append(time.process_time() - began_cpu)
    print(f"{name:28} median {statistics.median(took) * 1e3:7.1f} ms, CPU {statistics.median(cpu) * 1e3:7.1f} ms")


def main() -> None:
    """Write an hour, and ask."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    vocabulary, clock = Vocabulary(), SystemClock()
    with tempfile.TemporaryDirectory(prefix="swarmscope-bench-") as folder:
        store = EmbeddedStore(StoreSettings(Path(folder), vocabulary=vocabulary), clock)
        fleet = _Fleet(vocabulary)
        end_ns = clock.now_ns() // GRAIN_NS * GRAIN_NS
        agents = tuple(AgentRecord(name, end_ns, end_ns, team="red") for name in fleet.names)
        began_cpu = time.process_time()
        for write in range(_WRITES):
            minute_ns = end_ns - GRAIN_NS * (60 - write * _WRITE_S // 60)
            store.fleet.write_fleet(fleet.rows(minute_ns, agents if write % 6 == 0 else ()))
        print(f"writing took {time.process_time() - began_cpu:.1f} CPU-s")
        hour = (end_ns - 60 * GRAIN_NS, end_ns)

        def graph() -> None:
            edges = store.fleet.read_edges("default", *hour)
            usage = store.fleet.read_usage("default", *hour, ("agent",))
            found = to_graph(edges, vocabulary, 3600, usage)
            assert len(found.nodes) == _AGENTS

        _median("graph of an hour", graph)
        _median("registry", lambda: store.fleet.read_agents("default"))
        # As after a restart: nothing of it is in memory.
        reopened = type(store.fleet.recent_edges)(end_ns + GRAIN_NS, 5)
        store.fleet.recent_edges = reopened
        _median("edges out of parts", lambda: store.fleet.read_edges("default", *hour))
        store.close()


if __name__ == "__main__":
    main()
