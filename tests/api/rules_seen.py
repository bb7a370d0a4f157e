"""Rules of a file as the API sees them, without anybody who evaluates them."""

from __future__ import annotations

from collections.abc import Sequence

from swarmscope.alerting.placed_yaml import FileProblem
from swarmscope.alerting.rules.rule_files import parse_rules
from swarmscope.alerting.rules.view import AlertView, GroupView, RuleHealth, RuleView
from swarmscope.model.alerts import AlertPhase

RULES = """
groups:
- name: first
  interval: 30s
  limit: 5
  rules:
  - record: job:up:sum
    expr: sum(up)by(job)
    labels: {team: a}
  - alert: Down
    expr: up==0
    for: 90s
    keep_firing_for: 1m
    labels: {severity: critical, team: a}
    annotations: {summary: "{{ $labels.job }} is down"}
- name: second
  rules:
  - alert: Lines
    kind: logql
    expr: 'count_over_time({app="x"}[1m]) > 2'
    cooldown: 10m
    runbook: lines
    labels: {team: b}
  - alert: Both
    composite: {operator: and, alerts: [Down, Lines], within: 5m, on: [job]}
"""
AT_MS = 1_700_000_000_123


class SeenRules:
    """A `RulesView` of `RULES`: Down has two alerts, Lines could not be evaluated."""

    def __init__(self) -> None:
        alert = {"alertname": "Down", "severity": "critical", "team": "a"}
        said = {"summary": "x is down"}
        self.alerts = {
            "Down": (
                AlertView({**alert, "job": "x"}, said, AlertPhase.FIRING, AT_MS - 90_000, AT_MS, 0, 0.0),
                AlertView({**alert, "job": "y"}, said, AlertPhase.PENDING, AT_MS, 0, 0, 1.25),
            )
        }
        self.errors = {"Lines": "too many"}
        self.parsed = parse_rules(RULES, "rules.yml")

    def groups(self) -> list[GroupView]:
        return [
            GroupView(group, group.interval_ms or 15_000, AT_MS, 0.25, tuple(map(self._rule, group.rules)))
            for group in self.parsed
        ]

    def _rule(self, rule) -> RuleView:
        alerts = self.alerts.get(rule.name, ())
        error = self.errors.get(rule.name, "")
        health = RuleHealth.ERROR if error else RuleHealth.OK
        phase = AlertPhase.FIRING if alerts else AlertPhase.INACTIVE
        return RuleView(rule, health, error, 0 if error else AT_MS, 0.125, phase, alerts)

    def problems(self) -> Sequence[FileProblem]:
        return [FileProblem("bad.yml", 3, 7, "field expr is missing")]

    def reload(self) -> None:
        raise AssertionError
