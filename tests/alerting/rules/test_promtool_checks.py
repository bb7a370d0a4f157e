"""Which rule files are right: promtool and we say the same of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmscope.alerting.placed_yaml import BadFileError
from swarmscope.alerting.rules.rule_files import parse_rules
from tests.alerting.rules.promtool import ask_promtool, needs_promtool, write_all


def _rules(text: str) -> str:
    return "groups:\n- name: g\n  rules:\n" + "".join(f"  {line}\n" for line in text.splitlines())


def _annotated(template: str) -> str:
    return _rules(f"- alert: A\n  expr: up\n  annotations:\n    a: '{template}'")


GOOD = {
    "empty": "",
    "no_groups": "groups: []",
    "null_groups": "groups:",
    "null_rules": "groups:\n- name: g\n  rules:\n",
    "alert": _rules("- alert: A\n  expr: up"),
    "alert_with_spaces": _rules("- alert: 'A b-c'\n  expr: up"),
    "alert_of_digits": _rules("- alert: 5\n  expr: 5"),
    "for_zero": _rules("- alert: A\n  expr: up\n  for: 0"),
    "for_mixed": _rules("- alert: A\n  expr: up\n  for: 1h30m"),
    "for_null": _rules("- alert: A\n  expr: up\n  for:"),
    "keep_firing_for": _rules("- alert: A\n  expr: up\n  keep_firing_for: 5m"),
    "record_for_zero": _rules("- record: a:b:c\n  expr: up\n  for: 0s"),
    "record_label_template": _rules("- record: a\n  expr: up\n  labels: {x: '{{ $bad'}"),
    "labels_null": _rules("- alert: A\n  expr: up\n  labels:"),
    "label_null": _rules("- alert: A\n  expr: up\n  labels: {x: }"),
    "label_number": _rules("- alert: A\n  expr: up\n  labels: {x: 1}"),
    "label_alertname": _rules("- alert: A\n  expr: up\n  labels: {alertname: B}"),
    "label_of_meta": _rules("- alert: A\n  expr: up\n  labels: {__x: c}"),
    "interval": "groups:\n- name: g\n  interval: 30s\n  limit: 5\n  rules: []\n",
    "limit_negative": "groups:\n- name: g\n  limit: -1\n",
    "alias": _rules("- alert: A\n  expr: up\n  labels: &l {a: b}\n- alert: B\n  expr: up\n  labels: *l"),
    "merge": _rules(
        "- alert: A\n  expr: up\n  labels: &l {a: b}\n- alert: B\n  expr: up\n  labels:\n    <<: *l\n    c: d"
    ),
    "lines": _rules("- alert: A\n  expr: |\n    up ==\n      0"),
    "offset": _rules("- alert: A\n  expr: up offset -5m"),
    "at": _rules("- alert: A\n  expr: up @ start()"),
    "template_numbers": _annotated('{{ $value | humanizePercentage }} {{ printf "%.2f" $value }}'),
    "template_range": _annotated('{{ range query "up" }}{{ .Labels.x }}{{ .Value }}{{ end }}'),
    "template_variables": _annotated("{{ .Labels.x }} {{ .Value }} {{ $externalLabels.x }} {{ $externalURL }}"),
    "template_texts": _annotated(
        '{{ stripPort $labels.x }} {{ stripDomain "x" }}{{ parseDuration "1h" }}{{ toTime 1 }}'
    ),
    "template_address": _annotated("{{ externalURL }} {{ pathPrefix }}"),
}
BAD = {
    "list": "- a\n",
    "text": "hello\n",
    "tab": "groups:\n\t- name: g\n",
    "unknown_top": "groups: []\nfoo: 1\n",
    "no_name": "groups:\n- rules: []\n",
    "empty_name": "groups:\n- name: ''\n",
    "group_text": "groups: [a]\n",
    "group_twice": "groups:\n- name: g\n- name: g\n",
    "key_twice": "groups:\n- name: g\n  name: h\n",
    "interval": "groups:\n- name: g\n  interval: x\n",
    "limit": "groups:\n- name: g\n  limit: x\n",
    "unknown_in_rule": _rules("- alert: A\n  expr: up\n  foo: 1"),
    "both": _rules("- alert: A\n  record: b\n  expr: up"),
    "neither": _rules("- expr: up"),
    "no_expr": _rules("- alert: A"),
    "empty_expr": _rules("- alert: A\n  expr: ''"),
    "expr": _rules("- alert: A\n  expr: 'sum('"),
    "expr_function": _rules("- alert: A\n  expr: foo(up)"),
    "expr_regex": _rules('- alert: A\n  expr: up{a=~"("}'),
    "expr_all": _rules("- alert: A\n  expr: '{}'"),
    "for_number": _rules("- alert: A\n  expr: up\n  for: 5"),
    "for_order": _rules("- alert: A\n  expr: up\n  for: 30m1h"),
    "for_negative": _rules("- alert: A\n  expr: up\n  for: -5m"),
    "for_float": _rules("- alert: A\n  expr: up\n  for: 1.5h"),
    "for_list": _rules("- alert: A\n  expr: up\n  for: [5m]"),
    "record_for": _rules("- record: a\n  expr: up\n  for: 5m"),
    "record_keep": _rules("- record: a\n  expr: up\n  keep_firing_for: 5m"),
    "record_annotations": _rules("- record: a\n  expr: up\n  annotations: {a: b}"),
    "record_name": _rules("- record: a-b\n  expr: up"),
    "record_digit": _rules("- record: 1a\n  expr: up"),
    "record_label": _rules("- record: a\n  expr: up\n  labels: {__name__: c}"),
    "label": _rules("- alert: A\n  expr: up\n  labels: {a-b: c}"),
    "label_empty": _rules("- alert: A\n  expr: up\n  labels: {'': c}"),
    "label_name": _rules("- alert: A\n  expr: up\n  labels: {__name__: c}"),
    "label_list": _rules("- alert: A\n  expr: up\n  labels: {x: [a]}"),
    "label_template": _rules("- alert: A\n  expr: up\n  labels: {a: '{{ $value'}"),
    "annotation": _rules("- alert: A\n  expr: up\n  annotations: {a-b: c}"),
    "template_open": _annotated("{{ $labels.x"),
    "template_function": _annotated("{{ nofn $value }}"),
    "template_variable": _annotated("{{ $nope }}"),
}


@pytest.mark.parametrize("name", GOOD)
def test_right(name: str):
    parse_rules(GOOD[name], "r.yml")


@pytest.mark.parametrize("name", BAD)
def test_wrong(name: str):
    with pytest.raises(BadFileError) as error:
        parse_rules(BAD[name], "r.yml")
    assert all(problem.line for problem in error.value.problems)


@needs_promtool
def test_promtool_says_the_same(tmp_path: Path):
    right = ask_promtool(("check", "rules"), write_all(tmp_path, GOOD))
    assert [name for name, text in right.items() if "SUCCESS" not in text] == []
    wrong = ask_promtool(("check", "rules"), write_all(tmp_path, BAD))
    assert [name for name, text in wrong.items() if "FAILED" not in text] == []
