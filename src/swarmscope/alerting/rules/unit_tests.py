"""Unit tests of rules: series in, rules evaluated by the real engine and state machine, alerts and answers compared.

Source: https://prometheus.io/docs/prometheus/latest/configuration/unit_testing_rules/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from swarmscope.alerting.placed_yaml import BadFileError
from swarmscope.alerting.rules.rule_files import load_file
from swarmscope.alerting.rules.rules import AlertingRule, RuleGroup
from swarmscope.alerting.rules.simulation import SimulatedRules, testable_rules
from swarmscope.alerting.rules.unit_test_answers import (
    AlertTexts,
    alerts_text,
    ask,
    expected_rows,
    is_same_answer,
    rows_text,
)
from swarmscope.alerting.rules.unit_test_model import (
    DEFAULT_INTERVAL_MS,
    AlertTest,
    UnitTest,
    UnitTestFile,
    load_unit_tests,
    rule_paths,
)
from swarmscope.model.alerts import ALERT_NAME, AlertPhase
from swarmscope.model.durations import format_duration_ms
from swarmscope.model.errors import SwarmscopeError

_MAX_EVALUATIONS = 1_000_000


@dataclass(slots=True)
class Verdict:
    """How a file of tests went; it passed where there are no failures."""

    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def run_unit_tests(path: Path, names: Sequence[re.Pattern[str]] = ()) -> Verdict:
    """Run the tests of a file, or those of them whose names one of the patterns is found in. Never raises."""
    verdict = Verdict()
    try:
        file = load_unit_tests(path)
    except BadFileError as error:
        verdict.failures += [str(problem) for problem in error.problems]
        return verdict
    paths, lost = rule_paths(file, path.parent)
    verdict.warnings += [f"no file match pattern {pattern}" for pattern in lost]
    chosen = [test for test in file.tests if not names or any(name.search(test.name) for name in names)]
    if not chosen:
        return verdict
    groups: list[RuleGroup] = []
    for each in paths:
        try:
            groups += load_file(Path(each))
        except BadFileError as error:
            verdict.failures += [str(problem) for problem in error.problems]
    if verdict.failures:
        return verdict
    groups, untested = testable_rules(_ordered(groups, file.group_eval_order))
    verdict.warnings += [f"{name} is not evaluated: unit tests have series alone" for name in untested]
    for test in chosen:
        verdict.failures += _run_test(file, test, groups)
    return verdict


def _ordered(groups: list[RuleGroup], names: list[str]) -> list[RuleGroup]:
    # A group that is not in the list comes with the first one, as in promtool.
    return sorted(groups, key=lambda group: names.index(group.name) if group.name in names else 0)


def _run_test(file: UnitTestFile, test: UnitTest, groups: list[RuleGroup]) -> list[str]:
    where = f" (in TestGroup {test.name})" if test.name else ""
    for each in test.alert_rule_test:
        if not each.alertname:
            time = format_duration_ms(each.eval_time)
            return [f"an item under alert_rule_test misses required attribute alertname at eval_time {time}{where}"]
    step_ms = file.evaluation_interval or DEFAULT_INTERVAL_MS
    if test.end_ms // step_ms > _MAX_EVALUATIONS:
        return [f"    name: {test.name}, more than {_MAX_EVALUATIONS} evaluations"]
    try:
        rules = SimulatedRules(groups, test, step_ms)
    except ValueError as error:
        return [f"    {error}{where}"]
    failures: list[str] = []
    for at_ms in range(0, test.end_ms + 1, step_ms):
        errors = rules.evaluate(at_ms)
        if errors:
            return failures + errors
        for each in test.alert_rule_test:
            if at_ms <= each.eval_time < at_ms + step_ms:
                failures += _check_alerts(test, each, rules)
    return failures + list(_check_expressions(file, test, rules))


def _check_alerts(test: UnitTest, expected: AlertTest, rules: SimulatedRules) -> list[str]:
    got: list[AlertTexts] = []
    for each in rules.evaluations:
        if isinstance(each.rule, AlertingRule) and each.rule.name == expected.alertname:
            got += [
                (sorted(alert.labels.items()), sorted(alert.annotations.items()))
                for alert in each.alerts.active
                if alert.phase == AlertPhase.FIRING
            ]
    wanted: list[AlertTexts] = [
        (sorted({**alert.exp_labels, ALERT_NAME: expected.alertname}.items()), sorted(alert.exp_annotations.items()))
        for alert in expected.exp_alerts
    ]
    if sorted(got) == sorted(wanted):
        return []
    name = f"    name: {test.name},\n" if test.name else ""
    time = format_duration_ms(expected.eval_time)
    return [
        f"{name}    alertname: {expected.alertname}, time: {time}, \n"
        f"        exp:{alerts_text(sorted(wanted))}, \n        got:{alerts_text(sorted(got))}"
    ]


def _check_expressions(file: UnitTestFile, test: UnitTest, rules: SimulatedRules) -> Iterator[str]:
    for each in test.promql_expr_test:
        told = f"    expr: {json.dumps(each.expr, ensure_ascii=False)}, time: {format_duration_ms(each.eval_time)},"
        try:
            got = ask(rules.engine, each.expr, each.eval_time)
            wanted = expected_rows(each.exp_samples)
        except (SwarmscopeError, ValueError) as error:
            yield f"{told} err: {error}"
            continue
        if not is_same_answer(wanted, got, is_fuzzy=file.fuzzy_compare):
            yield f"{told}\n        exp: {rows_text(wanted)}\n        got: {rows_text(got)}"
