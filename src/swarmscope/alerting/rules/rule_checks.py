"""What may be right in a rule file and is likely not what was meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from swarmscope.alerting.placed_yaml import FileProblem
from swarmscope.alerting.rules.rules import AlertingRule, Rule, RuleGroup
from swarmscope.model.alerts import SEVERITY, Severity


class Lint(StrEnum):
    """What can be looked for."""

    DUPLICATE_RULES = "duplicate-rules"
    SEVERITY = "severity"
    SUMMARY = "summary"


def find_lint(groups: Sequence[RuleGroup], chosen: frozenset[Lint]) -> list[FileProblem]:
    """What was found of the chosen kinds, in the order of the rules."""
    found: list[FileProblem] = []
    if Lint.DUPLICATE_RULES in chosen:
        found += _duplicates(groups)
    for group in groups:
        for rule in group.rules:
            if isinstance(rule, AlertingRule):
                if Lint.SEVERITY in chosen:
                    found += _bad_severity(rule)
                if Lint.SUMMARY in chosen and "summary" not in rule.annotations:
                    found.append(_of(rule, f"alert {rule.name!r} has no annotation summary"))
    return found


def _of(rule: Rule, message: str) -> FileProblem:
    return FileProblem(rule.place.file, rule.place.line, rule.place.column, message)


def _duplicates(groups: Sequence[RuleGroup]) -> Iterator[FileProblem]:
    """Rules of one name and the same labels: their series and alerts cannot be told apart."""
    first: dict[tuple[object, ...], Rule] = {}
    for group in groups:
        for rule in group.rules:
            key = (rule.place.file, rule.name, *sorted(rule.labels.items()))
            if key in first:
                place = first[key].place
                yield _of(rule, f"duplicate rule: {rule.name!r} with the same labels is at line {place.line} already")
            else:
                first[key] = rule


def _bad_severity(rule: AlertingRule) -> Iterator[FileProblem]:
    severity, known = rule.labels.get(SEVERITY), [each.value for each in Severity]
    if severity is None:
        yield _of(rule, f"alert {rule.name!r} has no label severity; there are {', '.join(known)}")
    elif severity not in known and "{{" not in severity:
        yield _of(rule, f"alert {rule.name!r} has the severity {severity!r}; there are {', '.join(known)}")
