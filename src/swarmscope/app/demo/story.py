"""The whole simulation: the fleet at work, and what goes wrong in it. Pure; the same for the same arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from swarmscope.app.demo.faults.schedule import FAULTS, schedule
from swarmscope.app.demo.faults.truth import Injection
from swarmscope.app.demo.simulation.events import Event
from swarmscope.app.demo.simulation.tasks import arrivals, evaluations, measurements, reflections
from swarmscope.app.demo.simulation.timeline import NS_PER_S
from swarmscope.app.demo.simulation.world import World

_SOME_START_NS = 1_790_000_000 * NS_PER_S
ALL_FAULTS = tuple(FAULTS)


class Simulation:
    """The fleet from `start_ns` on. `advance` moves time forward and gives what happened meanwhile."""

    def __init__(self, seed: int, start_ns: int, faults: Sequence[str] = ALL_FAULTS, rate: float = 1.0) -> None:
        self.world = World(start_ns, seed, rate)
        self.truth: list[Injection] = []
        for flow in (arrivals, evaluations, measurements, reflections):
            self.world.timeline.start(flow(self.world))
        self.world.timeline.start(schedule(self.world, faults, self.truth))

    def advance(self, end_ns: int) -> list[Event]:
        """What happens before `end_ns`, in order of time."""
        self.world.timeline.run_until(end_ns)
        events, self.world.events = self.world.events, []
        return events


class Story(NamedTuple):
    """A span of the fleet's time, and the truth about its faults (an `end_ns` of 0: it lasts beyond the end)."""

    events: list[Event]
    truth: list[Injection]


def simulate(
    seed: int, duration_s: float, faults: Sequence[str] = ALL_FAULTS, start_ns: int = _SOME_START_NS, rate: float = 1.0
) -> Story:
    """`duration_s` of the fleet's time at once."""
    simulation = Simulation(seed, start_ns, faults, rate)
    events = simulation.advance(start_ns + int(duration_s * NS_PER_S))
    return Story(events, [each for each in simulation.truth if each.begin_ns])
