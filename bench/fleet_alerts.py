"""The demo fleet's story as series and alerts: what rules over what the program makes of spans would raise.

Series come as the demo sends them (its own metrics, every five seconds), as the fleet's watch makes them of settled
spans, and as they are derived from spans by service, name and status. Rules are evaluated by the real engine.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np

from bench.detection import ROUND_NS, WINDOW_NS, Replay, S
from bench.replayed_series import Labels, ReplayedSeries
from swarmscope.alerting.rules.rule_files import load_rules
from swarmscope.alerting.rules.rules import AlertingRule, RuleKind
from swarmscope.analysis.agents.edges import to_edges
from swarmscope.analysis.agents.graphs import to_graph
from swarmscope.analysis.agents.pathologies import detect
from swarmscope.analysis.rootcause.agent_topology import fleet_topology
from swarmscope.analysis.rootcause.topology import Topology
from swarmscope.app.demo.simulation.events import Ended, Event, Step
from swarmscope.app.demo.story import Story
from swarmscope.app.demo.wire.attributes import KIND_NAMES, describe
from swarmscope.app.demo.wire.metrics import FleetMetrics
from swarmscope.app.demo.wire.resources import Resources
from swarmscope.dashboards.packs.packs import pack_path
from swarmscope.lang.templates import parse_template, run_template
from swarmscope.lang.templates.builtins import BUILTINS
from swarmscope.model.fleet import Edges, Usage, UsageMeasure
from swarmscope.model.labels import METRIC_NAME
from swarmscope.query.promql.engine import PromqlEngine, QueryRequest

_MS = 1_000_000
_TOPOLOGY_EVERY_NS = 60 * S
PACKS = ("agi", "fleet")
_COOLDOWN_NS = 300 * S  # the program's own: an alert does not begin again sooner after it began


class Change(NamedTuple):
    """An alert begins to fire, or ends."""

    at_ns: int
    labels: dict[str, str]
    start_ns: int
    is_firing: bool


class Alerts(NamedTuple):
    """All that a story raised."""

    changes: list[Change]
    topologies: list[tuple[int, Topology]]  # from when on each was known


@dataclass
class Rule:
    """An alerting rule, and where its alerts are."""

    name: str
    query: str
    for_ns: int
    keep_ns: int
    labels: dict[str, str]
    pending: dict[Labels, int] = field(default_factory=dict)  # since when
    firing: dict[Labels, tuple[int, int]] = field(default_factory=dict)  # since when, last seen
    began_ns: dict[Labels, int] = field(default_factory=dict)  # when each fired last

    def step(self, engine: PromqlEngine, now_ns: int) -> list[Change]:
        """Evaluate it once; what changed."""
        seen = self._evaluate(engine, now_ns)
        changes = []
        for key in seen:
            since_ns = self.pending.setdefault(key, now_ns)
            cools = now_ns - self.began_ns.get(key, -_COOLDOWN_NS) < _COOLDOWN_NS
            if key not in self.firing and now_ns - since_ns >= self.for_ns and not cools:
                self.firing[key] = (now_ns, now_ns)
                self.began_ns[key] = now_ns
                changes.append(Change(now_ns, dict(key), now_ns, True))
            elif key in self.firing:
                self.firing[key] = (self.firing[key][0], now_ns)
        self.pending = {key: since for key, since in self.pending.items() if key in seen}
        for key, (since_ns, last_ns) in list(self.firing.items()):
            if key not in seen and now_ns - last_ns >= self.keep_ns:
                del self.firing[key]
                changes.append(Change(now_ns, dict(key), since_ns, False))
        return changes

    def _evaluate(self, engine: PromqlEngine, now_ns: int) -> set[Labels]:
        found = engine.query_instant(QueryRequest(self.query, now_ns // _MS, now_ns // _MS))
        text = found.symbols.text
        seen = set()
        for column in np.flatnonzero(found.present[:, 0]).tolist():
            own = {
                name: text(int(found.labels.codes[row, column]))
                for row, name in enumerate(found.labels.names)
                if name != METRIC_NAME and found.labels.codes[row, column] >= 0
            }
            said = {name: _expanded(template, own) for name, template in self.labels.items()}
            labels = {**own, **said, "alertname": self.name}
            seen.add(tuple(sorted((name, value) for name, value in labels.items() if value)))
        return seen


def _expanded(template: str, labels: dict[str, str]) -> str:
    if "{{" not in template:
        return template
    tree = parse_template("{{ $labels := .Labels }}" + template, BUILTINS)
    return run_template(tree, {"Labels": labels}, BUILTINS)


def pack_rules(names: Sequence[str] = PACKS) -> list[Rule]:
    """The alerting rules over PromQL of packs that ship. Raises ValueError where one is broken."""
    loaded = load_rules([pack_path(name) for name in names])
    if loaded.problems:
        raise ValueError(loaded.problems)
    return [
        Rule(rule.name, rule.expr, rule.for_ms * _MS, rule.keep_firing_for_ms * _MS, dict(rule.labels))
        for group in loaded.groups for rule in group.rules
        if isinstance(rule, AlertingRule) and rule.kind is RuleKind.PROMQL and rule.composite is None
    ]  # fmt: skip


class AlertReplay(Replay):
    """A story as series, rules and a graph."""

    def __init__(self, rules: list[Rule]) -> None:
        super().__init__()
        self._rules = rules
        self._series = ReplayedSeries()
        self._engine = PromqlEngine(self._series)
        self._usage_seen = 0
        self._edges_seen = 0
        self._edges: list[Edges] = []
        self._totals: dict[tuple[str, Labels], float] = defaultdict(float)

    def alerts(self, story: Story) -> Alerts:
        """Everything from its beginning to its end."""
        events, at = story.events, 0
        now_ns = begin_ns = events[0].at_ns
        metrics = FleetMetrics(begin_ns, Resources("bench"))
        found, topologies = [], []
        while at < len(events):
            now_ns += ROUND_NS
            ended: list[Step] = []
            first = at
            while at < len(events) and events[at].at_ns <= now_ns:
                self._take(events[at], ended)
                at += 1
            self._settle(ended, now_ns)
            self._tell(metrics, events[first:at], now_ns)
            for rule in self._rules:
                found += rule.step(self._engine, now_ns)
            if not topologies or now_ns - topologies[-1][0] >= _TOPOLOGY_EVERY_NS:
                topologies.append((now_ns, self._topology()))
        return Alerts(found, topologies)

    def _tell(self, metrics: FleetMetrics, events: list[Event], now_ns: int) -> None:
        """One sample of every series."""
        at_ms = now_ns // _MS
        metrics.follow(events)
        self._tell_metrics(metrics, now_ns)
        for event in events:
            if isinstance(event, Ended):
                self._count_span(event.step)
        self._count_usage()
        for (name, labels), value in self._totals.items():
            self._series.append(name, labels, at_ms, value)
        self._tracker.update(detect(self._window(now_ns)), now_ns)
        findings = {
            (("agent_name", agent), ("kind", finding.kind.value)): 1.0
            for finding in self._tracker.lasting() for agent in finding.agents
        }  # fmt: skip
        self._series.replace("agi_agent_findings", findings, at_ms)

    def _tell_metrics(self, metrics: FleetMetrics, now_ns: int) -> None:
        """What the demo's own metrics say."""
        at_ms = now_ns // _MS
        gauges: dict[str, dict[Labels, float]] = {}
        for group in metrics.request(now_ns).resource_metrics:
            for metric in group.scope_metrics[0].metrics:
                for point in (*metric.sum.data_points, *metric.gauge.data_points, *metric.histogram.data_points):
                    labels = tuple((each.key, each.value.string_value) for each in point.attributes)
                    if metric.HasField("histogram"):
                        self._series.append(f"{metric.name}_sum", labels, at_ms, point.sum)
                        self._series.append(f"{metric.name}_count", labels, at_ms, point.count)
                    elif metric.HasField("sum"):
                        self._series.append(metric.name, labels, at_ms, point.as_double)
                    else:
                        gauges.setdefault(metric.name, {})[labels] = point.as_double
        # The fleet's watch copies these under its own name of agents.
        copied = {
            name: {(("agent_name", dict(own)["gen_ai.agent.name"]),): value for own, value in values.items()}
            for name, values in gauges.items() if name.startswith("agi_memory_")
        }  # fmt: skip
        for name, values in gauges.items():
            values |= copied.get(name, {})
            self._series.replace(name, values, at_ms)

    def _count_span(self, step: Step) -> None:
        told = describe(step)
        labels: Labels = (
            ("service", step.service), ("span_name", told.name), ("span_kind", f"SPAN_KIND_{KIND_NAMES[told.kind]}"),
            ("status_code", "STATUS_CODE_ERROR" if step.error else "STATUS_CODE_UNSET"),
        )  # fmt: skip
        self._totals["traces_spanmetrics_calls_total", labels] += 1
        self._totals["traces_spanmetrics_latency_sum", labels] += (step.end_ns - step.start_ns) / S
        self._totals["traces_spanmetrics_latency_count", labels] += 1

    def _count_usage(self) -> None:
        text = self._vocabulary.text
        for usage in self._usage[self._usage_seen :]:
            for agent, measures in zip(usage.agent.tolist(), usage.measures.tolist(), strict=True):
                labels = (("agent_name", text(agent)),)
                self._totals["agi_agent_activity_total", labels] += measures[UsageMeasure.SPANS]
                self._totals["agi_agent_errors_total", labels] += measures[UsageMeasure.ERRORS]
        self._usage_seen = len(self._usage)

    def _settle(self, ended: list[Step], now_ns: int) -> None:
        known = {id(each) for each in self._settled}
        super()._settle(ended, now_ns)
        self._edges += [to_edges(each) for each in self._settled if id(each) not in known]

    def _topology(self) -> Topology:
        columns = {each.name: np.concatenate([getattr(part, each.name) for part in self._edges]) for each in
                   fields(Edges)}  # fmt: skip
        used = {each.name: np.concatenate([getattr(part, each.name) for part in self._usage]) for each in
                fields(Usage)}  # fmt: skip
        graph = to_graph(Edges(**columns), self._vocabulary, WINDOW_NS / S)
        return fleet_topology(graph, Usage(**used), self._vocabulary)
