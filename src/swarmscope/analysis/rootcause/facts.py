"""What of an alert matters to its grouping and to the search for a cause: its labels, its times, what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from swarmscope.analysis.rootcause.topology import Node, NodeKind
from swarmscope.model.alerts import SEVERITY, Severity, fingerprint

# Which labels name what; the spellings of our series, of OpenTelemetry and of Prometheus' world.
NODE_LABELS: Mapping[str, NodeKind] = {
    "agent_name": NodeKind.AGENT, "agent": NodeKind.AGENT, "gen_ai_agent_name": NodeKind.AGENT,
    "gen_ai.agent.name": NodeKind.AGENT, "source": NodeKind.AGENT, "target": NodeKind.AGENT,
    "service_name": NodeKind.SERVICE, "service": NodeKind.SERVICE, "service.name": NodeKind.SERVICE,
    "client": NodeKind.SERVICE, "server": NodeKind.SERVICE,
    "tool": NodeKind.TOOL, "tool_name": NodeKind.TOOL, "gen_ai_tool_name": NodeKind.TOOL,
    "gen_ai.tool.name": NodeKind.TOOL, "span_gen_ai_tool_name": NodeKind.TOOL, "span.gen_ai.tool.name": NodeKind.TOOL,
    "model": NodeKind.MODEL, "gen_ai_request_model": NodeKind.MODEL, "gen_ai.request.model": NodeKind.MODEL,
    "span_gen_ai_request_model": NodeKind.MODEL, "span.gen_ai.request.model": NodeKind.MODEL,
    "span.gen_ai.agent.name": NodeKind.AGENT, "span_gen_ai_agent_name": NodeKind.AGENT,
    "resource.service.name": NodeKind.SERVICE, "resource_service_name": NodeKind.SERVICE,
}  # fmt: skip
# Whether an alert tells what is wrong, or what someone suffers from it: what rules may say of themselves.
SIGNAL_LABEL = "signal"
CAUSE, SYMPTOM = "cause", "symptom"
_SEVERITY_WEIGHTS = {Severity.INFO: 0.2, Severity.WARNING: 0.5, Severity.ERROR: 0.7, Severity.CRITICAL: 0.85}
_UNKNOWN_WEIGHT = 0.5
_SIGNAL_FACTORS = {CAUSE: 1.15, SYMPTOM: 0.4}
_PEER_SEPARATOR = ","  # of agents that one finding names
_UNNAMED = ("", "unknown")


@dataclass(frozen=True, slots=True)
class AlertFact:
    """One alert. Times are Unix nanoseconds; `end_ns` is 0 while it lasts."""

    labels: Mapping[str, str]
    start_ns: int
    end_ns: int = 0
    id: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            object.__setattr__(self, "id", fingerprint(self.labels))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """What it is about, the most specific first: tools and models, agents, services. No two are equal."""
        return nodes_of(self.labels)

    @property
    def is_cause(self) -> bool:
        """Whether its rule says that it tells what is wrong, and not what somebody suffers from it."""
        return self.labels.get(SIGNAL_LABEL) == CAUSE

    @property
    def weight(self) -> float:
        """How much it says that something is wrong with its nodes, 0 … 1: by severity, and by `signal`."""
        weight = _SEVERITY_WEIGHTS.get(self.labels.get(SEVERITY, "").lower(), _UNKNOWN_WEIGHT)  # type: ignore[call-overload]
        return float(min(1.0, weight * _SIGNAL_FACTORS.get(self.labels.get(SIGNAL_LABEL, ""), 1.0)))


_SPECIFIC = {NodeKind.TOOL: 0, NodeKind.MODEL: 1, NodeKind.AGENT: 2, NodeKind.SERVICE: 3}


def nodes_of(labels: Mapping[str, str]) -> tuple[Node, ...]:
    """The nodes that labels name; the agents of a finding stand in one label, with commas between."""
    found: dict[Node, None] = {}
    for label, kind in NODE_LABELS.items():
        value = labels.get(label, "")
        names = value.split(_PEER_SEPARATOR) if kind is NodeKind.AGENT else [value]
        found |= {Node(kind, name.strip()): None for name in names if name.strip() not in _UNNAMED}
    return tuple(sorted(found, key=lambda node: (_SPECIFIC[node.kind], node.name)))
