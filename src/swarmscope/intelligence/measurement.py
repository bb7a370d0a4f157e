"""What is asked of the process that measures, and what it answers; light, for both sides import it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from swarmscope.analysis.intelligence.telemetry.options import IntegrationType
from swarmscope.intelligence.agent_window import AgentWindow
from swarmscope.intelligence.brain_window import BrainWindow
from swarmscope.intelligence.groups import Group

KINDS = ("phi", "emergence", "coherence", "coordination")
MODULE_KINDS = KINDS[:3]  # of modules, which do not work together
LENGTH = "<Q"  # before each message: its bytes
CHECK_S = 0.2
IDLE_S = 60.0  # after which the process ends, for it keeps 200 MB


@dataclass(frozen=True, slots=True)
class Measuring:
    """How it is measured."""

    integration_type: IntegrationType = "auto"
    max_units: int = 0  # 0: as many as such a model can be relied on for
    n_surrogates: int = 99
    n_resamples: int = 200
    bin_ns: int = 0  # 0: by the rule of widths


class DeclaredModel(NamedTuple):
    """A network that somebody gives, unchecked."""

    tpm: Any
    cm: Any
    state: Any


@dataclass(frozen=True, slots=True)
class Measurement:
    """What is to be measured: groups of agents in a window, or a model."""

    kind: str
    how: Measuring
    groups: tuple[Group, ...] = ()
    window: AgentWindow | None = None
    brain: BrainWindow | None = None
    """Modules of brain states, which are measured as one group."""
    model: DeclaredModel | None = None


@dataclass(frozen=True, slots=True)
class Progressed:
    """Which part is done, 0 to 1."""

    part: float


@dataclass(frozen=True, slots=True)
class Failed:
    """It cannot be measured."""

    why: str


@dataclass(frozen=True, slots=True)
class Finished:
    """What was found, as JSON can hold it, and what that took."""

    results: list[dict[str, Any]]
    cpu_s: float
