"""Root causes and noise on a fresh seed, with four kinds of faults that leave traces of all sorts."""

from __future__ import annotations

from bench.fleet_alerts import AlertReplay, Alerts, Change, pack_rules
from bench.root_causes import Group, Verdict, judge_story, notifications

from swarmscope.alerting.incidents.settings import IncidentSettings
from swarmscope.app.demo.story import simulate
from swarmscope.model.alerts import Alert

S = 1_000_000_000


def test_the_first_notification_names_the_cause() -> None:
    story = simulate(40, 340, ("deadlock", "agent_crash", "tool_outage", "cascading_failure"))
    found = AlertReplay(pack_rules()).alerts(story)
    verdict = Verdict()
    judge_story(found, story.truth, story.events[-1].at_ns, verdict, IncidentSettings())
    assert verdict.faults.total() == 4
    assert verdict.right.total() >= 3, verdict.words
    assert verdict.grouped <= 0.3 * verdict.ungrouped


def test_groups_are_timed_as_alertmanager_does() -> None:
    """One alert, over before the interval ends, that comes back: begun, over and nothing of the coming back between."""
    group = Group(30 * S)
    alert = Alert({"alertname": "x"}, {}, 0, 1, 0)
    group.alerts["x"] = (alert, True)
    assert group.flush()
    assert group.flush_ns == 330 * S
    assert not group.flush()
    group.alerts["x"] = (alert, False)
    assert group.flush()
    assert group.alerts == {}


def test_an_alert_that_ends_before_it_is_told_is_not_told() -> None:
    labels = {"alertname": "x", "agent_name": "a"}
    short = [Change(0, labels, 0, True), Change(20 * S, labels, 0, False)]
    long = [Change(0, labels, 0, True), Change(40 * S, labels, 0, False)]
    for by_incident in (False, True):
        assert notifications(Alerts(short, []), 60 * S, IncidentSettings(), by_incident=by_incident) == []
        told = notifications(Alerts(long, []), 60 * S, IncidentSettings(), by_incident=by_incident)
        assert [each.at_ns // S for each in told] == [30, 330]
