"""Rule files: what they say, and where they are wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.alerting.placed_yaml import BadFileError
from swarmscope.alerting.rules.rule_files import load_rules, parse_rules
from swarmscope.alerting.rules.rules import AlertingRule, CompositeOperator, RecordingRule, RuleKind
from tests.portion import portion

GOOD = """
groups:
  - name: api
    interval: 30s
    limit: 10
    query_offset: 1m30s
    labels: {team: core, tier: "1"}
    rules:
      - record: job:up:sum
        expr: sum by (job) (up)
        labels: {tier: 1.10}
      - alert: Down
        expr: up == 0
        for: 5m
        keep_firing_for: 1h30m
        cooldown: 0s
        runbook: restart
        labels: {severity: critical}
        annotations:
          summary: '{{ $labels.instance }} is down'
          empty:
  - name: lines
    kind: logql
    rules:
      - alert: Errors
        expr: sum(rate({app="x"} |= "error" [1m])) > 5
      - alert: Both
        composite:
          operator: at_least
          at_least: 2
          alerts: [Down, 'Errors{team="core"}', '{severity=~"crit.*"}']
          within: 10m
          on: [team]
"""


def test_all_that_a_file_says():
    api, lines = parse_rules(GOOD, "r.yml")
    assert (api.key, api.interval_ms, api.limit, api.query_offset_ms) == ("r.yml;api", 30_000, 10, 90_000)
    record, down = api.rules
    assert isinstance(record, RecordingRule)
    # A rule's own label wins, and stays as it was written.
    assert record.labels == {"team": "core", "tier": "1.10"}
    assert isinstance(down, AlertingRule)
    assert (down.for_ms, down.keep_firing_for_ms, down.cooldown_ms, down.runbook) == (300_000, 5_400_000, 0, "restart")
    assert down.annotations["empty"] == ""
    assert (down.place.line, down.place.column) == (12, 9)
    errors, both = lines.rules
    assert errors.kind == RuleKind.LOGQL
    assert isinstance(both, AlertingRule)
    assert both.composite is not None
    assert both.composite.operator == CompositeOperator.AT_LEAST
    assert [[str(matcher) for matcher in part] for part in both.composite.parts] == [
        ['alertname="Down"'],
        ['alertname="Errors"', 'team="core"'],
        ['severity=~"crit.*"'],
    ]


def rule(text: str) -> str:
    return "groups:\n- name: g\n  rules:\n  - " + text.replace("\n", "\n    ")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a: [", "r.yml:1:5: bad YAML: while parsing a flow node"),
        ("- a", "r.yml:1:1: a rule file is a mapping with the key groups"),
        ("groups: {a: b}", "r.yml:1:9: groups: Input should be a valid list"),
        ("groups:\n- name: a\n- name: a", "r.yml:3:9: group 'a' is repeated in the same file"),
        ("groups:\n- name: a\n  intervall: 5s", "r.yml:3:14: group 'a': field intervall is not known"),
        ("groups:\n- name: a\n  interval: 5", "r.yml:3:13: group 'a': interval: is not a duration"),
        ("groups:\n- rules: []", "r.yml:2:3: group '': field name is missing"),
        ("groups: []\ngroups: []", "r.yml:2:1: key 'groups' stands twice"),
        (rule("alert: A\nexpr: sum(up"), "r.yml:5:11: group 'g', rule 1 ('A'): could not parse expression: 1:7"),
        (rule("alert: A\nrecord: b\nexpr: up"), "r.yml:4:5: group 'g', rule 1 ('A'): "
         "only one of 'record' and 'alert' must be set"),
        (rule("expr: up"), "group 'g', rule 1 (''): one of 'record' or 'alert' must be set"),
        (rule("alert: A"), "group 'g', rule 1 ('A'): field 'expr' must be set in rule"),
        (rule("record: a-b\nexpr: up"), "'a-b' is not a metric's name"),
        (rule("record: a\nexpr: up\nfor: 5m"), "invalid field 'for' in recording rule"),
        (rule("alert: A\nexpr: up\nlabels: {__name__: x}"), "'__name__' is not a label's name"),
        (rule("alert: A\nexpr: up\nannotations: {a: '{{ $nobody }}'}"), "annotation 'a': undefined variable"),
        (rule("alert: A\nexpr: up\nannotations: {a: '{{ nobody 1 }}'}"), 'annotation \'a\': function "nobody" not'),
        (rule("alert: A\nkind: logql\nexpr: up"), "could not parse expression"),
        (rule('alert: A\nkind: logql\nexpr: \'{a="b"}\''), "could not parse expression"),
        (rule("alert: A\nkind: traceql\nexpr: '{}'"), "a rule needs numbers"),
        (rule("alert: A\ncomposite: {operator: xor, alerts: [A]}"), "operator: Input should be 'and', 'or'"),
        (rule("alert: A\ncomposite: {operator: at_least, at_least: 3, alerts: [A, B]}"), "at_least must be 1 to 2"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(text: str, said: str):
    with pytest.raises(BadFileError) as raised:
        parse_rules(text, "r.yml")
    assert said in str(raised.value)


def test_a_file_of_aliases_does_not_grow():
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{name}: &{name} [{','.join([f'*{before}'] * 9)}]\n"
        for before, name in zip("abcdefghi", "bcdefghij", strict=True)
    )
    with pytest.raises(BadFileError, match="too many values"):
        parse_rules(bomb, "r.yml")


def test_files_folders_and_patterns(tmp_path: Path):
    (tmp_path / "b.yml").write_text(rule("record: b\nexpr: up"))
    (tmp_path / "a.rules").write_text(rule("record: a\nexpr: up"))
    (tmp_path / "bad.yaml").write_text("groups: [")
    (tmp_path / "notes.txt").write_text("nothing")
    loaded = load_rules([tmp_path, str(tmp_path / "*.yml"), tmp_path / "absent"])
    assert [group.rules[0].name for group in loaded.groups] == ["a", "b"]
    assert [problem.file for problem in loaded.problems] == [str(tmp_path / "bad.yaml"), str(tmp_path / "absent")]


def test_bytes_that_are_no_text_are_named(tmp_path: Path):
    (tmp_path / "x.yml").write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in str(load_rules([tmp_path]).problems[0])


_PIECES = ("", "- ", ": ", "{", "[", "'", "&a ", "*a", "\t", "\n", "0", "{{", "null", "ü")


@settings(max_examples=portion(5000, 200), deadline=None)
@given(st.data())
def test_a_file_of_any_bytes_is_read_or_told_to_be_wrong(data: st.DataObject):
    text = GOOD
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(begin, min(len(text), begin + 20)))
        piece = data.draw(
            st.sampled_from(["", "- ", ": ", "{", "[", "'", "&a ", "*a", "\t", "\n", "0", "{{", "null", "ü"])
        )
        text = text[:begin] + piece + text[end:]
    with contextlib.suppress(BadFileError):
        parse_rules(text, "r.yml")


def test_the_other_rules_of_a_file_can_still_be_had(tmp_path: Path):
    (tmp_path / "a.yml").write_text(
        "groups: [{name: g, rules: [{alert: A, expr: 'sum('}, {alert: B, expr: up},"
        " {alert: C, expr: up, labels: {x: '{{ $nope }}'}}]}]"
    )
    (tmp_path / "b.yml").write_text("groups: [{name: g, rules: [{alert: A, expr: up}, {expr: up}]}]")
    loaded = load_rules([tmp_path])
    assert (loaded.groups, len(loaded.problems)) == ((), 3)
    assert [[rule.name for rule in group.rules] for group in loaded.doubtful] == [["A", "B", "C"]]
