"""Which open steps are to be announced: as the SDK does, after a second, and again every ten."""

from __future__ import annotations

from collections.abc import Iterable

from swarmscope.app.demo.simulation.events import Began, Crashed, Ended, Event, Step
from swarmscope.app.demo.simulation.timeline import NS_PER_S

_AFTER_NS = NS_PER_S
_EVERY_NS = 10 * NS_PER_S


class OpenSteps:
    """The steps that began and have not ended. Those of a process that is gone are nobody's to announce."""

    def __init__(self) -> None:
        self._due_ns: dict[Step, int] = {}

    def follow(self, events: Iterable[Event]) -> None:
        """Take notice of what happened."""
        for event in events:
            if isinstance(event, Began):
                self._due_ns[event.step] = event.at_ns + _AFTER_NS
            elif isinstance(event, Ended):
                self._due_ns.pop(event.step, None)
            elif isinstance(event, Crashed):
                for step in [step for step in self._due_ns if step.agent == event.agent]:
                    del self._due_ns[step]

    def take_due(self, now_ns: int) -> list[Step]:
        """Those to announce now."""
        due = [step for step, due_ns in self._due_ns.items() if due_ns <= now_ns]
        for step in due:
            self._due_ns[step] = now_ns + _EVERY_NS
        return due
