"""One group with answers by hand: what is told, written and kept when something fails or is changed. Minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

from swarmscope.alerting.rules.answers import Question, RuleEngines
from swarmscope.alerting.rules.firing_memory import FiringMemory
from swarmscope.alerting.rules.group import GroupTiming, LiveGroup, Outlets
from swarmscope.alerting.rules.history import AlertHistory
from swarmscope.alerting.rules.rule_files import parse_rules
from swarmscope.alerting.rules.rule_state import KeptAlerts
from swarmscope.alerting.rules.series_writer import LabelSet, SeriesWriter
from swarmscope.alerting.rules.settings import EvaluationSettings
from swarmscope.alerting.rules.state_machine import Change
from swarmscope.alerting.rules.view import RuleHealth
from swarmscope.model.alerts import Alert, AlertPhase
from swarmscope.model.contracts import Reader
from swarmscope.model.errors import QueryFailedError
from tests.alerting.kept_state import KeptState

M = 60_000
T = 1_700_000_000_000
ROW = ({"job": "a"}, 1.0)


@dataclass
class World:
    """Answers by expression, and everything that groups hand out; each sink fails while `broken` names it."""

    rows: dict[str, list[tuple[dict[str, str], float]]] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    told: list[Alert] = field(default_factory=list)
    ended: set[LabelSet] = field(default_factory=set)
    lines: list[Change] = field(default_factory=list)
    state: KeptState = field(default_factory=KeptState)

    def ask(self, question: Question, reader: object) -> list[tuple[dict[str, str], float]]:
        self._may("query")
        return self.rows.get(question.expr, [])

    def take_alerts(self, alerts: Sequence[Alert]) -> None:
        self._may("alerts")
        self.told += alerts

    def write(self, *arguments: object) -> None:
        """A `SeriesWriter`'s, with three arguments, or an `AlertHistory`'s."""
        if len(arguments) == 3:
            self._may("series")
            self.ended |= cast("set[LabelSet]", arguments[1])
        else:
            self._may("lines")
            self.lines += cast("Sequence[Change]", arguments[1])

    def _may(self, part: str) -> None:
        if part in self.broken:
            raise QueryFailedError("as told") if part == "query" else ValueError("a defect")

    def group(self, rules: str, cooldown_ms: int = 0) -> LiveGroup:
        (group,) = parse_rules(f"groups:\n- name: g\n  rules:\n{rules}", "r.yml")
        outlets = Outlets(
            self, cast("SeriesWriter", self), cast("AlertHistory", self), KeptAlerts(self.state), FiringMemory()
        )
        return LiveGroup(group, GroupTiming(M, 0), EvaluationSettings("t", cooldown_ms=cooldown_ms), outlets)

    def evaluate(self, group: LiveGroup, at_ms: int) -> list[Change]:
        return group.evaluate(cast("RuleEngines", self), cast("Reader", None), at_ms)

    def ends(self) -> list[int]:
        return [alert.ends_ns // 1_000_000 for alert in self.told if not alert.has_timeout]


def phases(group: LiveGroup) -> list[str]:
    return [rule.phase.value for rule in group.view().rules]


def labels_of(sets: set[LabelSet]) -> list[Mapping[str, str]]:
    return sorted((dict(each) for each in sets), key=str)


DOWN = "  - {alert: Down, expr: down}\n"


def test_sinks_that_fail_cost_nobody_else_and_are_tried_again():
    for part in ("alerts", "series", "lines"):
        world = World({"down": [ROW]}, {part})
        group = world.group(DOWN)
        world.evaluate(group, T)
        assert len(world.told) == (part != "alerts")
        assert len(world.lines) == (0 if part == "lines" else 2)
        world.broken.clear()
        world.evaluate(group, T + 1)
        assert [alert.name for alert in world.told] == ["Down"], part
        assert [each.after.value for each in world.lines] == ["pending", "firing"], part


def test_states_that_could_not_be_kept_are_kept_later():
    world = World({"down": [ROW]})
    world.state.is_down = True
    group = world.group(DOWN)
    world.evaluate(group, T)
    assert world.state.records == {}
    assert len(world.told) == 1
    world.state.is_down = False
    world.evaluate(group, T + 1)
    assert len(world.state.records["rule_alert"]) == 1


def test_a_query_that_fails_changes_no_state():
    world = World({"down": [ROW]})
    group = world.group(DOWN)
    world.evaluate(group, T)
    world.broken.add("query")
    world.evaluate(group, T + 2 * M)
    (view,) = group.view().rules
    assert (view.health, view.last_error) == (RuleHealth.ERROR, "as told")
    assert view.phase == AlertPhase.FIRING
    # Nor is it told again as if it had been seen, nor do its series end.
    assert len(world.told) == 1
    assert world.ended == set()


def test_an_evaluation_that_waited_does_not_go_back_in_time():
    world = World({"down": [ROW]})
    group = world.group("  - {alert: Down, expr: down, for: 1m}\n")
    world.evaluate(group, T)
    world.evaluate(group, T + M)
    world.evaluate(group, T + M - 5_000)
    (view,) = group.view().rules
    assert view.evaluated_ms == T + M
    # A clock that was set back is believed.
    world.evaluate(group, T - 60 * M)
    assert group.view().rules[0].evaluated_ms == T - 60 * M


def test_a_change_of_rules_keeps_states_and_ends_what_is_gone():
    world = World({"down": [ROW], "slow": [ROW], "down > 1": [ROW]})
    old = world.group(DOWN + "  - {alert: Slow, expr: slow}\n  - {record: r, expr: slow}\n", cooldown_ms=5 * M)
    world.evaluate(old, T)
    new = world.group("  - {alert: Down, expr: down > 1}\n", cooldown_ms=5 * M)
    new.take_over(old, T + 1)
    # Who is still being evaluated in its earlier form says nothing any more.
    assert world.evaluate(old, T + 2) == []
    assert [(alert.name, alert.ends_ns // 1_000_000) for alert in world.told[2:]] == [("Slow", T + 1)]
    assert labels_of(world.ended) == [
        {"__name__": "ALERTS", "alertname": "Slow", "alertstate": "firing", "job": "a"},
        {"__name__": "ALERTS_FOR_STATE", "alertname": "Slow", "job": "a"},
        {"__name__": "r", "job": "a"},
    ]
    # An alert whose threshold has changed goes on, and its cooldown with it.
    assert world.evaluate(new, T + M // 2) == []
    assert phases(new) == ["firing"]
    world.rows["down > 1"] = []
    world.evaluate(new, T + M)
    world.rows["down > 1"] = [ROW]
    world.evaluate(new, T + 2 * M)
    assert phases(new) == ["pending"]
    assert new.next_due_ms(0) == T + 5 * M
    world.evaluate(new, T + 5 * M)
    assert phases(new) == ["firing"]


def test_rules_of_one_name_and_labels_are_kept_apart():
    group = World().group(DOWN + "  - {alert: Down, expr: slow}\n  - {alert: Down, expr: down, labels: {a: b}}\n")
    assert len(set(group.keys)) == 3


def test_a_long_wait_is_known_after_a_restart_however_long_ago_it_began():
    world = World({"down": [ROW]})
    rules = "  - {alert: Down, expr: down, for: 3h}\n"
    group = world.group(rules)
    for minute in range(121):
        world.evaluate(group, T + minute * M)
    again = world.group(rules)
    again.restore(T + 125 * M)
    world.evaluate(again, T + 125 * M)
    assert again.view().rules[0].alerts[0].active_ms == T
    assert again.next_due_ms(0) == T + 180 * M
    # Whoever was away for more than an hour does not know what went on meanwhile.
    late = world.group(rules)
    late.restore(T + 200 * M)
    assert late.view().rules[0].alerts == ()


def test_composite_alerts_go_on_after_a_restart():
    rules = DOWN + "  - alert: Both\n    composite: {operator: and, alerts: [Down, Slow], within: 1h, on: [job]}\n"
    rules += "  - {alert: Slow, expr: slow}\n"
    world = World({"down": [ROW], "slow": [ROW]})
    group = world.group(rules)
    world.evaluate(group, T)
    world.evaluate(group, T + 1)
    assert phases(group) == ["firing", "firing", "firing"]
    # The composite is asked before one of its parts is.
    again = world.group(rules)
    again.restore(T + M)
    world.evaluate(again, T + M)
    assert phases(again) == ["firing", "firing", "firing"]
    assert world.ends() == []


def test_keep_firing_is_looked_at_when_it_is_over():
    world = World({"down": [ROW]})
    group = world.group("  - {alert: Down, expr: down, keep_firing_for: 7m}\n")
    world.evaluate(group, T)
    assert group.next_due_ms(0) is None
    world.rows.clear()
    world.evaluate(group, T + M)
    assert group.next_due_ms(0) == T + 8 * M
