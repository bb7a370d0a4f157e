"""Files of unit tests: promtool and we find the same expectations unmet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from swarmscope.alerting.rules.unit_tests import run_unit_tests
from tests.alerting.rules.promtool import ask_promtool, failed_items, needs_promtool, write_all

RULES = r"""
groups:
- name: second
  rules:
  - record: job:double
    expr: job:up:sum * 2
- name: first
  interval: 15s
  rules:
  - record: job:up:sum
    expr: sum by (job) (up)
    labels: {from: rule, gone: ""}
  - alert: Down
    expr: up == 0
    for: 2m
    labels: {severity: page, job: "{{ $labels.job }}-x"}
    annotations:
      summary: "{{ $labels.instance }} has {{ $value }} in {{ $externalLabels.dc }} at {{ $externalURL }}"
      blank: ""
  - alert: Empty
    expr: up == 0
    labels: {empty: "{{ $labels.none }}"}
  - alert: Kept
    expr: up > 5
    for: 1m
    keep_firing_for: 3m
  - alert: Seen
    expr: ALERTS{alertname="Down", alertstate="firing"}
  - alert: Since
    expr: time() - ALERTS_FOR_STATE{alertname="Down"} > 60
    annotations: {age: "{{ $value | humanizeDuration }}"}
- name: third
  limit: 2
  rules:
  - alert: Down
    expr: absent(up)
"""
DOWN = """
- interval: 1m
  external_labels: {dc: eu}
  external_url: http://prom:9090/x
  input_series:
  - {series: 'up{job="a",instance="i"}', values: '1 0x6 1 1 1'}
  alert_rule_test:
"""
FIRING = (
    "{exp_labels: {severity: page, job: a-x, instance: i}, "
    'exp_annotations: {summary: "i has 0 in eu at http://prom:9090/x", blank: ""}}'
)


def _alert(time: str, name: str, *alerts: str) -> str:
    return f"  - eval_time: {time}\n    alertname: {name}\n    exp_alerts: [{', '.join(alerts)}]\n"


def _expr(expr: str, time: str, *samples: tuple[str, object], values: str = "", interval: str = "1m") -> str:
    rows = ", ".join(f"{{labels: '{labels}', value: {value}}}" for labels, value in samples)
    series = "".join(f"  - {{series: '{line.split(' ', 1)[0]}', values: '{line.split(' ', 1)[1]}'}}\n"
                     for line in values.splitlines())  # fmt: skip
    inputs = f"  input_series:\n{series}" if series else ""
    return (
        f"- interval: {interval}\n{inputs}  promql_expr_test:\n"
        f"  - {{expr: {json.dumps(expr)}, eval_time: {time}, exp_samples: [{rows}]}}\n"
    )


TESTS: Mapping[str, str] = {
    "alerts_over_time": DOWN
    + _alert("2m", "Down")
    + _alert("3m", "Down", FIRING)
    + _alert("3m30s", "Down", FIRING)
    + _alert("7m", "Down", FIRING)
    + _alert("8m", "Down"),
    "too_early": DOWN + _alert("2m59s", "Down", FIRING),
    "too_late": DOWN + _alert("7m", "Down"),
    "wrong_label": DOWN + _alert("3m", "Down", FIRING.replace("page", "none")),
    "wrong_annotation": DOWN + _alert("3m", "Down", FIRING.replace("eu", "us")),
    "missing_annotation": DOWN + _alert("3m", "Down", FIRING.replace(', blank: ""', "")),
    "empty_label": DOWN + _alert("3m", "Empty", "{exp_labels: {job: a, instance: i}}"),
    "expected_empty_label": DOWN + _alert("3m", "Empty", '{exp_labels: {job: a, instance: i, empty: ""}}'),
    "expected_twice": DOWN + _alert("3m", "Down", FIRING, FIRING),
    "alert_of_two_groups": "- interval: 1m\n  alert_rule_test:\n" + _alert("0", "Down", "{}"),
    "alerts_of_alerts": DOWN
    + _alert("3m", "Seen", '{exp_labels: {severity: page, job: a-x, instance: i, alertstate: firing}}')
    + _alert("2m", "Since")
    + _alert("3m", "Since", '{exp_labels: {severity: page, job: a-x, instance: i}, exp_annotations: {age: 2m 0s}}'),
    "kept": "- interval: 1m\n  input_series: [{series: up, values: '9 9 1x9'}]\n  alert_rule_test:\n"
    + _alert("0", "Kept") + _alert("1m", "Kept", "{}") + _alert("4m", "Kept", "{}") + _alert("5m", "Kept"),
    "not_kept_so_long": "- interval: 1m\n  input_series: [{series: up, values: '9 9 1x9'}]\n  alert_rule_test:\n"
    + _alert("6m", "Kept", "{}"),
    "unknown_alert": DOWN + _alert("1m", "Nobody"),
    "unknown_alert_expected": DOWN + _alert("1m", "Nobody", "{}"),
    "null_alerts": DOWN + "  - eval_time: 1m\n    alertname: Down\n    exp_alerts:\n",
    "no_alert_name": DOWN + "  - eval_time: 1m\n",
    "limit": "- interval: 1m\n  alert_rule_test:\n" + _alert("1m", "Down", "{}"),
    "recorded": _expr("job:up:sum", "1m", ('job:up:sum{job="a",from="rule"}', 3),
                      values='up{job="a",i="1"} 1 1\nup{job="a",i="2"} 1 2'),
    "recorded_of_recorded": _expr("job:double", "2m", ('job:double{job="a",from="rule"}', 2),
                                  values='up{job="a"} 1x5'),
    "recorded_ends": _expr("job:up:sum", "3m", values='up{job="a"} 1 1 stale'),
    "recorded_lags": _expr("job:double", "1m", ('job:double{job="a",from="rule"}', 6), values='up{job="a"} 1 3 5'),
    "notation": _expr("x", "3m", ('x{a="1"}', 10), ('x{a="2"}', -5), ('x{a="3"}', 7),
                      values='x{a="1"} -2+4x3\nx{a="2"} 1-2x4\nx{a="3"} 7 _x5'),
    "notation_gap": _expr("x", "6m", values="x 7 _x20"),
    "notation_stale": _expr("x", "2m", values="x 7 8 stale 9"),
    "notation_after_stale": _expr("x", "3m", ("x", 9), values="x 7 8 stale 9"),
    "notation_repeat": _expr("x", "4m", ("x", 5), values="x 5x4"),
    "notation_decimals": _expr("x", "2m", ("x", 0.3), values="x 0.1+0.1x10"),
    "notation_exponents": _expr("x", "1m", ("x", -1e-3), values="x 1e3 -1e-3"),
    "bad_notation": _expr("x", "1m", values="x 1x"),
    "bad_series": _expr("x", "1m", values="x{ 1"),
    "not_a_number": _expr("x", "0", ("x", ".nan"), values="x NaN"),
    "infinite": _expr("x", "0", ("x", ".inf"), values="x Inf"),
    "number_as_text": _expr("x", "0", ("x", "NaN"), values="x NaN"),
    "scalar": _expr("1 + 1", "0", ("", 2)),
    "scalar_labels": _expr("1 + 1", "0", ("{}", 2)),
    "text": _expr('"a"', "0"),
    "range": _expr("x[5m]", "0", values="x 1"),
    "bad_expr": _expr("sum(", "1m"),
    "bad_labels": _expr("vector(1)", "0", ("a{", 1)),
    "wrong_value": _expr("x", "0", ("x", 2), values="x 1"),
    "wrong_name": _expr("x", "0", ("y", 1), values="x 1"),
    "one_too_many": _expr("x", "0", values="x 1"),
    "one_too_few": _expr("x", "0", ("x", 1), ("x{a=\"b\"}", 1), values="x 1"),
    "order_is_no_matter": _expr("x", "0", ('x{a="2"}', 2), ('x{a="1"}', 1), values='x{a="1"} 1\nx{a="2"} 2'),
    "series_twice": _expr("x", "1m", ("x", 3), values="x 1 2\nx 3"),
    "between_evaluations": _expr("x", "1m45s", ("x", 4), values="x 0+1x20", interval="15s"),
    "rate": _expr("rate(x[5m])", "5m", ("{}", 0.5), values="x 0+30x10"),
    "subquery": _expr("max_over_time(sum(x)[3m:])", "5m", ("{}", 5), values="x 0+1x10"),
    "errors_in_rules": _expr("job:up:sum", "1m", values='up{job="a",i="1"} 1')
    + "- interval: 1m\n  input_series: [{series: 'up{a=\"1\"}', values: '9'}, {series: 'up{a=\"2\"}', values: '9'}]\n"
    + "  promql_expr_test: [{expr: 'up + on () up', eval_time: 0}]\n",
    "templates_with_queries": DOWN + _alert("4m", "Seen", '{exp_labels: {a: b}}'),
}  # fmt: skip
FILES = {
    "unknown_key": "foo: 1\n",
    "empty": "",
    "no_tests": "rule_files: [good.rules.yml]\n",
    "order_repeats": "group_eval_order: [a, a]\n",
    "no_such_rules": "rule_files: [nowhere.yml]\ntests: []\n",
    "bad_rules": "rule_files: [bad.rules]\ntests: [{interval: 1m}]\n",
    "bad_rules_without_tests": "rule_files: [bad.rules]\ntests: []\n",
    "bad_interval": "evaluation_interval: 1\n",
    "pattern": "rule_files: ['*.rules.yml']\ntests:\n- promql_expr_test: [{expr: up, eval_time: 1m}]\n",
}


def _files(folder: Path) -> dict[str, Path]:
    (folder / "good.rules.yml").write_text(RULES, "utf-8")
    (folder / "bad.rules").write_text("groups: 1", "utf-8")
    head = "rule_files: [good.rules.yml]\nevaluation_interval: 1m\ngroup_eval_order: [first, second, third]\ntests:\n"
    return write_all(folder, {name: head + text for name, text in TESTS.items()} | FILES)


def test_what_fails_is_what_should(tmp_path: Path):
    paths = _files(tmp_path)
    failing = {name for name, path in paths.items() if run_unit_tests(path).failures}
    assert failing == {
        "too_early", "too_late", "wrong_label", "wrong_annotation", "missing_annotation", "expected_empty_label",
        "expected_twice", "not_kept_so_long", "unknown_alert_expected", "no_alert_name", "notation_decimals",
        "bad_notation", "bad_series", "not_a_number", "number_as_text", "text", "range", "bad_expr", "bad_labels",
        "wrong_value", "wrong_name", "one_too_many", "one_too_few", "errors_in_rules", "templates_with_queries",
        "unknown_key", "order_repeats", "bad_rules", "bad_interval",
    }  # fmt: skip


@needs_promtool
def test_promtool_finds_the_same_unmet(tmp_path: Path):
    paths = _files(tmp_path)
    theirs = ask_promtool(("test", "rules"), paths)
    for name, path in paths.items():
        failures = run_unit_tests(path).failures
        assert bool(failures) == ("SUCCESS" not in theirs[name]), (name, failures, theirs[name])
        assert failed_items("\n".join(failures)) == failed_items(theirs[name]), (name, failures, theirs[name])


@pytest.mark.parametrize(
    ("text", "n_failures"),
    [
        # promtool of Debian knows none of these yet.
        ("fuzzy_compare: true\ntests:\n" + _expr("x", "2m", ("x", 0.3), values="x 0.1+0.1x10"), 0),
        ("tests:\n- interval: 1m\n  input_series: [{series: h, values: '{{schema:1 count:3 sum:5 buckets:[1 2]}}x3'}]\n"
         "  promql_expr_test:\n  - {expr: 'histogram_count(h)', eval_time: 1m, exp_samples: [{value: 3}]}\n"
         "  - {expr: h, exp_samples: [{labels: h, histogram: '{{schema:1 count:3 sum:5 buckets:[1 2]}}'}]}\n"
         "  - {expr: h, exp_samples: [{labels: h, histogram: '{{schema:1 count:3 sum:6 buckets:[1 2]}}'}]}\n"
         "  - {expr: h, eval_time: 1m, exp_samples: [{labels: h, value: 3}]}\n", 2),
    ],
)  # fmt: skip
def test_what_came_later(tmp_path: Path, text: str, n_failures: int):
    (tmp_path / "t.yml").write_text(text, "utf-8")
    assert len(run_unit_tests(tmp_path / "t.yml").failures) == n_failures
