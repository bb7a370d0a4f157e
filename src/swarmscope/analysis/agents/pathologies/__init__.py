"""What goes wrong between agents: one detector a file, each a pure function of a `FleetWindow`."""

from __future__ import annotations

from collections.abc import Callable

from swarmscope.analysis.agents.pathologies.costs import find_runaway_costs
from swarmscope.analysis.agents.pathologies.crashes import find_crashes
from swarmscope.analysis.agents.pathologies.cycles import find_cycles
from swarmscope.analysis.agents.pathologies.deadlocks import find_deadlocks
from swarmscope.analysis.agents.pathologies.duplicates import find_duplicated_work
from swarmscope.analysis.agents.pathologies.progress import find_no_progress
from swarmscope.analysis.agents.pathologies.repeats import find_repeats
from swarmscope.analysis.agents.pathologies.retries import find_retry_storms
from swarmscope.analysis.agents.pathologies.starvation import find_starvation
from swarmscope.analysis.agents.pathologies.window import FleetWindow
from swarmscope.model.fleet import GRAIN_NS, Finding, FindingKind

_EXPLAINED = (FindingKind.REPEAT, FindingKind.RUNAWAY_COST)

Detector = Callable[[FleetWindow], list[Finding]]

DETECTORS: tuple[Detector, ...] = (
    find_repeats,
    find_cycles,
    find_no_progress,
    find_retry_storms,
    find_runaway_costs,
    find_deadlocks,
    find_starvation,
    find_duplicated_work,
    find_crashes,
)


def detect(window: FleetWindow) -> list[Finding]:
    """What all detectors find, in their order. Ids are those of the trouble: a `FindingTracker` joins rounds.

    One trouble is told once: repeats and costs of a run that goes round in a circle are what the circle consists of.
    """
    found = [finding for find in DETECTORS for finding in find(window)]
    if not any(each.kind in _EXPLAINED for each in found):
        return found
    # What is over still explains what it has cost, which is found for longer.
    quiet_ns = window.settings.spend_minutes * GRAIN_NS
    circling = {finding.evidence["run"] for finding in find_cycles(window, quiet_ns)}
    looping = circling | {finding.evidence["run"] for finding in find_repeats(window, quiet_ns)}
    explained = {FindingKind.REPEAT: circling, FindingKind.RUNAWAY_COST: looping}
    return [each for each in found if each.evidence.get("run") not in explained.get(each.kind, ())]
