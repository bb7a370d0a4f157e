"""Rules exported for Prometheus."""

from __future__ import annotations

from pathlib import Path

from swarmscope.alerting.rules.rule_export import export_rules
from swarmscope.alerting.rules.rule_files import parse_rules
from swarmscope.alerting.rules.unit_tests import run_unit_tests
from tests.alerting.rules.promtool import ask_promtool, needs_promtool

OURS = """
groups:
- name: g
  interval: 30s
  query_offset: 1m
  limit: 7
  labels: {team: core}
  rules:
  - record: up:sum
    expr: |
      sum by (job) (
        up
      )
  - alert: Down
    expr: up == 0
    for: 1m30s
    keep_firing_for: 2m
    cooldown: 10m
    runbook: restart
    labels: {severity: critical, job: "{{ $labels.job }}"}
    annotations: {summary: "{{ $value | humanize }}: ü"}
- name: lines
  kind: logql
  rules:
  - alert: Errors
    expr: sum(rate({app="x"} |= "error" [1m])) > 5
"""
THEIRS = """# Left out: group 'g', rule 'Down': cooldown 10m
# Left out: group 'g': query_offset 1m
# Left out: group 'lines', rule 'Errors': its query is logql
groups:
- name: g
  interval: 30s
  limit: 7
  rules:
  - record: up:sum
    expr: |
      sum by (job) (
        up
      )
    labels:
      team: core
  - alert: Down
    expr: up == 0
    for: 1m30s
    keep_firing_for: 2m
    labels:
      team: core
      severity: critical
      job: '{{ $labels.job }}'
    annotations:
      summary: '{{ $value | humanize }}: ü'
      runbook: restart
"""
COMPOSITES = """
groups:
- name: parts
  rules:
  - {alert: A, expr: a == 1}
  - {alert: B, expr: b == 1, labels: {severity: critical}}
  - {alert: C, expr: c == 1}
- name: whole
  rules:
  - alert: All
    composite: {operator: and, alerts: [A, '{alertname="B",severity=~"crit.*"}', C], on: [agent]}
    annotations: {parts: "{{ $value }}"}
  - {alert: Any, composite: {operator: or, alerts: [A, B], on: [agent]}}
  - {alert: AnyAtAll, composite: {operator: or, alerts: [A, B]}}
  - {alert: Lone, composite: {operator: unless, alerts: [A, B, C], on: [agent]}}
  - {alert: Two, composite: {operator: at_least, at_least: 2, alerts: [A, B, C], on: [agent, zone]}}
  - {alert: Lately, composite: {operator: and, alerts: [A, B], on: [agent], within: 3m}}
"""
SERIES = """
  - {series: 'a{agent="x",zone="z"}', values: '1 1 0 0 0 0 0 0'}
  - {series: 'b{agent="x",zone="z"}', values: '1 0 0 1 0 0 0 0'}
  - {series: 'c{agent="x",zone="y"}', values: '1 0 0 0 0 0 0 0'}
  - {series: 'a{agent="y",zone="z"}', values: '0 1 1 1 1 0 0 0'}
"""
# Which composite alerts fire for which agents, minute for minute, by hand.
FIRING = [
    {"All": "x", "Any": "x", "AnyAtAll": "", "Two": "xz", "Lately": "x"},
    {"Any": "xy", "AnyAtAll": "", "Lone": "xy", "Lately": "x"},
    {"Any": "y", "AnyAtAll": "", "Lone": "y", "Lately": "x"},
    {"Any": "xy", "AnyAtAll": "", "Lone": "y", "Lately": "x"},
    # A of x fired last at 1m, and 4m is 3m later.
    {"Any": "y", "AnyAtAll": "", "Lone": "y", "Lately": "x"},
    {},
]


def _tests() -> str:
    told = "rule_files: [rules.yml]\ntests:\n- interval: 1m\n  input_series:" + SERIES + "  alert_rule_test:\n"
    for minute, firing in enumerate(FIRING):
        for name in ("All", "Any", "AnyAtAll", "Lone", "Two", "Lately"):
            alerts = []
            if name in firing and name == "Two":
                alerts = ["{exp_labels: {agent: x, zone: z}}"]
            elif name in firing:
                agents = [f"exp_labels: {{agent: '{agent}'}}" for agent in firing[name]] or ["exp_labels: {}"]
                parts = ", exp_annotations: {parts: '3'}" if name == "All" else ""
                alerts = [f"{{{labels}{parts}}}" for labels in agents]
            told += f"  - {{eval_time: {minute}m, alertname: {name}, exp_alerts: [{', '.join(alerts)}]}}\n"
    return told


def test_what_only_we_know_is_left_out_and_told():
    text, left_out = export_rules(parse_rules(OURS, "r.yml"))
    assert text == THEIRS
    assert len(left_out) == 3


def test_an_exported_file_is_the_same_once_more():
    groups = parse_rules(THEIRS, "r.yml")
    again, left_out = export_rules(groups)
    assert (parse_rules(again, "r.yml"), left_out) == (groups, [])


def test_groups_of_one_name_in_several_files_stay_apart():
    groups = [*parse_rules("groups: [{name: g}]", "a.yml"), *parse_rules("groups: [{name: g}]", "b.yml")]
    assert [group.name for group in parse_rules(export_rules(groups)[0], "c.yml")] == ["g", "g-2"]


def test_a_line_break_does_not_end_a_comment():
    rules = 'groups:\n- name: "g\\nevil: 1"\n  query_offset: 1m\n  rules: [{record: a, expr: b}]'
    text, _ = export_rules(parse_rules(rules, "r.yml"))
    assert [group.name for group in parse_rules(text, "r.yml")] == ["g\nevil: 1"]


def test_composites_fire_as_by_hand(tmp_path: Path):
    (tmp_path / "rules.yml").write_text(COMPOSITES, "utf-8")
    (tmp_path / "tests.yml").write_text(_tests(), "utf-8")
    assert run_unit_tests(tmp_path / "tests.yml").failures == []


@needs_promtool
def test_composites_do_the_same_in_prometheus(tmp_path: Path):
    text, left_out = export_rules(parse_rules(COMPOSITES, "r.yml"))
    (tmp_path / "rules.yml").write_text(text, "utf-8")
    (tmp_path / "tests.yml").write_text("group_eval_order: [parts, whole]\n" + _tests(), "utf-8")
    answer = ask_promtool(("test", "rules"), {"tests": tmp_path / "tests.yml"})["tests"]
    assert "SUCCESS" in answer, (text, answer)
    assert left_out == []
