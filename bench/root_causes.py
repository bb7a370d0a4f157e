"""Whether the first notification of a fault names its cause: `python -m bench.root_causes [FIRST] [LAST]`.

Seeds 1 to 10 are those that weights were chosen by; 11 to 28, which are the default, are for measuring alone.

Alerts of rules over the demo fleet go through the program's incidents, with a clock of their own, and through
Alertmanager's timing of groups: once with a group for each alert, once with one for each incident. Neither
incidents nor rules know of the truth; it is looked at afterwards.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from bench.detection import S, wilson
from bench.fleet_alerts import AlertReplay, Alerts, pack_rules
from swarmscope.alerting.incidents.incidents import Incidents
from swarmscope.alerting.incidents.settings import IncidentSettings
from swarmscope.analysis.rootcause.facts import nodes_of
from swarmscope.analysis.rootcause.topology import Node, NodeKind
from swarmscope.app.demo.faults.truth import Injection
from swarmscope.app.demo.story import simulate
from swarmscope.model.alerts import Alert
from swarmscope.model.labels import DEFAULT_TENANT

STORY_S = 660  # a round of faults, and a minute in which the last ones end
GROUP_WAIT_NS, GROUP_INTERVAL_NS = 30 * S, 300 * S  # Alertmanager's own
LATE_NS = 60 * S  # for so long after a fault's end an alert may still be about it
_EVER_NS = 1 << 62


class StoryClock:
    """Stands where it is put."""

    ns = 0

    def now_ns(self) -> int:
        return self.ns


class Forgetful:
    """A `StateStore` that keeps nothing."""

    def load(self, kind: str) -> dict[str, bytes]:
        return {}

    def write(self, kind: str, records: object) -> None:
        return None


class Told(NamedTuple):
    """One notification."""

    at_ns: int
    group: str
    alerts: tuple[Alert, ...]  # that fire
    cause: Node | None  # the first of them
    incident: str


@dataclass
class Group:
    """Alerts that are told together, as Alertmanager's dispatcher and notification log have them."""

    flush_ns: int
    alerts: dict[str, tuple[Alert, bool]] = field(default_factory=dict)  # firing?
    told_firing: set[str] = field(default_factory=set)
    told_resolved: set[str] = field(default_factory=set)
    was_told: bool = False

    def flush(self) -> bool:
        """Whether there is something to tell; what is over is forgotten."""
        firing = {key for key, (_, is_firing) in self.alerts.items() if is_firing}
        resolved = self.alerts.keys() - firing
        if not self.was_told:
            tells = bool(firing)
        elif not firing <= self.told_firing:
            tells = True
        elif not firing:
            tells = bool(self.told_firing)
        else:
            tells = not resolved <= self.told_resolved
        if tells:
            self.was_told, self.told_firing, self.told_resolved = True, firing, set(resolved)
        self.alerts = {key: each for key, each in self.alerts.items() if each[1]}
        self.flush_ns += GROUP_INTERVAL_NS
        return tells


def notifications(found: Alerts, end_ns: int, settings: IncidentSettings, *, by_incident: bool) -> list[Told]:
    """What is told of a story's alerts."""
    clock = StoryClock()
    incidents = Incidents(Forgetful(), clock, settings)
    groups: dict[str, Group] = {}
    told: list[Told] = []
    changes, topologies = list(found.changes), list(found.topologies)

    def flush_until(now_ns: int) -> None:
        while due := [(group.flush_ns, key) for key, group in groups.items() if group.flush_ns <= now_ns]:
            at_ns, key = min(due)
            clock.ns = at_ns
            group = groups[key]
            firing = tuple(alert for alert, is_firing in group.alerts.values() if is_firing)
            if group.flush():
                described = incidents.describe_incident(key) if by_incident else None
                causes = described["root_causes"] if described else []
                cause = Node(NodeKind(causes[0]["kind"]), causes[0]["name"]) if causes else None  # type: ignore[index]
                told.append(Told(at_ns, key, firing, cause, str(described["id"]) if described else key))
            if not group.alerts:
                del groups[key]

    for change in changes:
        flush_until(change.at_ns - 1)
        while topologies and topologies[0][0] <= change.at_ns:
            incidents.see_topology(DEFAULT_TENANT, topologies.pop(0)[1])
        clock.ns = change.at_ns
        ends_ns = _EVER_NS if change.is_firing else change.at_ns
        alert = Alert(change.labels, {}, change.start_ns, ends_ns, change.at_ns)
        incidents.take_alerts([alert])
        incidents.tick()
        key = incidents.incident_of(alert) if by_incident else alert.fingerprint
        if key in groups or change.is_firing:
            group = groups.setdefault(key, Group(change.at_ns + GROUP_WAIT_NS))
            group.alerts[alert.fingerprint] = (alert, change.is_firing)
    flush_until(end_ns + GROUP_INTERVAL_NS + GROUP_WAIT_NS)
    return told


def causes_of(fault: Injection) -> set[Node]:
    """What a person who knows the truth would name: the tool or the model that failed, or one of the struck agents."""
    for detail, kind in (("tool", NodeKind.TOOL), ("model", NodeKind.MODEL)):
        if detail in fault.details and fault.kind != "loop":
            return {Node(kind, str(fault.details[detail]))}
    return {Node(NodeKind.AGENT, name) for name in fault.agents}


def concerns(alert: Alert, fault: Injection, end_ns: int) -> bool:
    """Whether an alert may come of a fault: it began while that lasted, and is about its cause or who was struck."""
    struck = causes_of(fault) | {Node(NodeKind.AGENT, name) for name in fault.agents}
    is_in_time = fault.begin_ns <= alert.starts_ns <= (fault.end_ns or end_ns) + LATE_NS
    return is_in_time and not struck.isdisjoint(nodes_of(alert.labels))


@dataclass
class Verdict:
    """Sums over stories."""

    right: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    untold: Counter[str] = field(default_factory=Counter)
    alerts: int = 0
    ungrouped: int = 0
    grouped: int = 0
    delays_s: list[float] = field(default_factory=list)
    words: list[str] = field(default_factory=list)

    def judge(self, truth: list[Injection], told: list[Told], end_ns: int) -> None:
        """Of each fault the first notification that has an alert about it, and nothing later."""
        for fault in truth:
            if not fault.begin_ns or end_ns - fault.begin_ns < 120 * S:
                continue  # it had no time to show
            self.faults[fault.kind] += 1
            about = [each for each in told if any(concerns(alert, fault, end_ns) for alert in each.alerts)]
            own = causes_of(fault)
            first = about[0] if about else None
            if first is None:
                self.untold[fault.kind] += 1
                self.words.append(f"{fault.kind} {fault.agents[:3]}: nothing was told")
            elif first.cause in own:
                self.right[fault.kind] += 1
                self.delays_s.append((first.at_ns - fault.begin_ns) / S)
            else:
                names = ", ".join(sorted(map(str, own))[:3])
                self.words.append(f"{fault.kind} ({names}): told {first.cause} with {len(first.alerts)} alerts")


def judge_story(
    found: Alerts, truth: list[Injection], end_ns: int, verdict: Verdict, settings: IncidentSettings
) -> None:
    """Add one story to the verdict."""
    verdict.alerts += sum(change.is_firing for change in found.changes)
    verdict.ungrouped += len(notifications(found, end_ns, settings, by_incident=False))
    told = notifications(found, end_ns, settings, by_incident=True)
    verdict.grouped += len(told)
    verdict.judge(truth, told, end_ns)


def report(verdict: Verdict, say: Callable[[str], None] = print) -> None:
    """The figures with their 95 % intervals."""
    for kind in sorted(verdict.faults):
        say(f"{kind:18} injected {verdict.faults[kind]:3} right {verdict.right[kind]:3} untold {verdict.untold[kind]}")
    right, n = verdict.right.total(), verdict.faults.total()
    low, high = wilson(right, n)
    late = sorted(verdict.delays_s)
    say(f"first root cause right: {right} of {n} = {right / n:.3f} [{low:.3f}, {high:.3f}], "
        f"told {late[len(late) // 2]:.0f} s after its beginning in the middle")  # fmt: skip
    fewer = 1 - verdict.grouped / verdict.ungrouped
    low, high = wilson(verdict.ungrouped - verdict.grouped, verdict.ungrouped)
    say(f"alerts {verdict.alerts}, notifications: each alert on its own {verdict.ungrouped}, by incident "
        f"{verdict.grouped}: {fewer:.3f} [{low:.3f}, {high:.3f}] fewer")  # fmt: skip


def main() -> None:
    """Print how often the first root cause is right, and how many notifications are saved."""
    first, last = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 2 else (11, 28)
    verdict, settings, begin_s = Verdict(), IncidentSettings(), time.process_time()
    for seed in range(first, last + 1):
        story = simulate(seed, STORY_S)
        found = AlertReplay(pack_rules()).alerts(story)
        judge_story(found, story.truth, story.events[-1].at_ns, verdict, settings)
        print(f"seed {seed}: {verdict.right.total()} of {verdict.faults.total()} right", flush=True)
    for line in verdict.words:
        print(line)
    report(verdict)
    print(f"{time.process_time() - begin_s:.0f} CPU-s")


if __name__ == "__main__":
    main()
