"""Pending, firing, over; by the documentation of alerting rules, with times by hand (minutes)."""

from __future__ import annotations

from swarmscope.alerting.rules.state_machine import Result, RuleAlerts, Timing
from swarmscope.model.alerts import AlertPhase

M = 60_000
DOWN = Result({"alertname": "Down", "job": "a"}, {}, 1.0)


def phases(alerts: RuleAlerts) -> list[AlertPhase]:
    return [alert.phase for alert in alerts.by_fingerprint.values()]


def test_an_alert_waits_fires_and_ends():
    alerts = RuleAlerts(Timing(for_ms=5 * M))
    alerts.update([DOWN], 10 * M)
    assert phases(alerts) == [AlertPhase.PENDING]
    assert alerts.due(10 * M) == []
    alerts.update([DOWN], 14 * M)
    assert phases(alerts) == [AlertPhase.PENDING]
    changed = alerts.update([DOWN], 15 * M)
    assert [(each.before, each.after) for each in changed] == [(AlertPhase.PENDING, AlertPhase.FIRING)]
    (alert,) = alerts.due(15 * M)
    assert (alert.active_ms, alert.fired_ms) == (10 * M, 15 * M)
    # Told again a minute later, not before.
    assert alerts.due(15 * M + 59_999) == []
    assert alerts.due(16 * M) == [alert]
    alerts.update([], 17 * M)
    assert alerts.due(17 * M) == [alert]
    assert alert.resolved_ms == 17 * M
    # Its end is told for a quarter of an hour.
    alerts.update([], 32 * M)
    assert alerts.due(32 * M) == [alert]
    alerts.update([], 32 * M + 1)
    assert alerts.by_fingerprint == {}


def test_what_never_fired_is_told_to_nobody():
    alerts = RuleAlerts(Timing(for_ms=5 * M))
    alerts.update([DOWN], 0)
    changed = alerts.update([], M)
    assert [(each.before, each.after) for each in changed] == [(AlertPhase.PENDING, AlertPhase.INACTIVE)]
    assert alerts.due(M) == []


def test_without_for_it_fires_at_once_and_anew_after_its_end():
    alerts = RuleAlerts(Timing())
    assert len(alerts.update([DOWN], 1)) == 2
    alerts.update([], 2)
    alerts.update([DOWN], 3)
    (alert,) = alerts.active
    assert (alert.active_ms, alert.fired_ms, alert.resolved_ms) == (3, 3, 0)


def test_it_keeps_firing():
    alerts = RuleAlerts(Timing(keep_firing_for_ms=10 * M))
    alerts.update([DOWN], 0)
    alerts.update([], 1 * M)
    assert phases(alerts) == [AlertPhase.FIRING]
    alerts.update([DOWN], 5 * M)
    alerts.update([], 6 * M)
    alerts.update([], 16 * M - 1)
    assert phases(alerts) == [AlertPhase.FIRING]
    alerts.update([], 16 * M)
    assert phases(alerts) == [AlertPhase.INACTIVE]


def test_a_cooldown_holds_the_next_beginning():
    alerts = RuleAlerts(Timing(cooldown_ms=5 * M))
    other = Result({"alertname": "Down", "job": "b"}, {}, 1.0)
    alerts.update([DOWN], 0)
    alerts.update([], 1 * M)
    alerts.update([DOWN, other], 2 * M)
    assert sorted(phases(alerts)) == [AlertPhase.FIRING, AlertPhase.PENDING]
    alerts.update([DOWN, other], 5 * M)
    assert phases(alerts) == [AlertPhase.FIRING, AlertPhase.FIRING]
    assert {alert.fired_ms for alert in alerts.active} == {2 * M, 5 * M}


def test_values_and_annotations_are_the_newest():
    alerts = RuleAlerts(Timing())
    alerts.update([DOWN], 0)
    alerts.update([Result(DOWN.labels, {"summary": "worse"}, 9.0)], 1)
    (alert,) = alerts.active
    assert (alert.value, alert.annotations) == (9.0, {"summary": "worse"})
