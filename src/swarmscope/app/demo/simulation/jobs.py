"""What an agent is asked to do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from swarmscope.app.demo.simulation.events import Step
from swarmscope.app.demo.simulation.timeline import Signal, Work

if TYPE_CHECKING:
    from swarmscope.app.demo.simulation.members import Agent
    from swarmscope.app.demo.simulation.world import World

# What an agent does within its step.
Doing = Callable[["World", "Agent", Step], Work]


@dataclass(slots=True, eq=False)
class Job:
    """Work in an agent's queue. `reply` fires with the error when it is done, or with OK."""

    doing: Doing
    parent: Step
    link: Step | None = None
    reply: Signal = field(default_factory=Signal)


OK = "ok"
