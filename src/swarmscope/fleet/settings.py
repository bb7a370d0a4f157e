"""How the fleet is watched, and how much memory that may take."""

from __future__ import annotations

from dataclasses import dataclass

# Labels and stream labels whose values are agents' names, as senders of metrics and logs write them.
AGENT_LABELS = ("gen_ai_agent_name", "gen_ai.agent.name", "agent_name", "agent.name")


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """Bounds are of one tenant unless they say otherwise."""

    patience_s: float = 600.0  # how long a span waits for its ancestors
    max_known_spans: int = 500_000  # whose place in their trace is remembered; a quarter of them may wait
    max_queued_spans: int = 400_000  # of all tenants
    max_queued_bytes: int = 256 << 20  # of all tenants
    recent_s: float = 900.0  # what detectors look at
    max_recent_spans: int = 100_000
    max_agents: int = 10_000
    max_series: int = 50_000  # of each metric
    max_conversation_series: int = 100
    max_unwritten_spans: int = 500_000  # what is kept while the store takes nothing
    max_tenants: int = 50
    write_interval_s: float = 10.0
    series_interval_s: float = 5.0
    detect_interval_s: float = 2.0
    signals_interval_s: float = 30.0
    idle_series_s: float = 3600.0  # a counter that nothing was added to for so long ends
    forget_after_s: float = 24 * 3600.0  # an agent that was not seen for so long is in the store alone
    agent_labels: tuple[str, ...] = AGENT_LABELS
