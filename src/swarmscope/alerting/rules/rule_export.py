"""Rules as a file that Prometheus takes: what only Swarmscope knows is said in its words, or left out and named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import yaml

from swarmscope.alerting.rules.rules import AlertingRule, Composite, CompositeOperator, Rule, RuleGroup, RuleKind
from swarmscope.model.durations import format_duration_ms
from swarmscope.model.matchers import Matcher, MatchOperator

_PART = "composite_part"
_WIDTH = 120


class _Dumper(yaml.SafeDumper):
    """Texts of several lines stay so."""


def _text(dumper: _Dumper, text: str) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def export_rules(groups: Sequence[RuleGroup]) -> tuple[str, list[str]]:
    """A rule file of Prometheus, and what of the rules is not in it."""
    left_out: list[str] = []
    names: set[str] = set()
    made = []
    for group in groups:
        rules = [rule for rule in (_to_rule(group, rule, left_out) for rule in group.rules) if rule is not None]
        if group.query_offset_ms is not None:
            # Prometheus before 2.53 refuses a file that has it.
            left_out.append(f"group {group.name!r}: query_offset {format_duration_ms(group.query_offset_ms)}")
        if group.rules and not rules:
            continue
        entry: dict[str, Any] = {"name": _unique(group.name, names)}
        if group.interval_ms:
            entry["interval"] = format_duration_ms(group.interval_ms)
        if group.limit:
            entry["limit"] = group.limit
        made.append({**entry, "rules": rules})
    body = yaml.dump({"groups": made}, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=_WIDTH)
    # What ends a line in YAML must not end the comment.
    head = "".join(f"# Left out: {' '.join(each.split())}\n" for each in left_out)
    return head + body, left_out


def _unique(name: str, names: set[str]) -> str:
    """A group's name is unique in its file; of several files there may be two of one name."""
    made, number = name, 2
    while made in names:
        made, number = f"{name}-{number}", number + 1
    names.add(made)
    return made


def _to_rule(group: RuleGroup, rule: Rule, left_out: list[str]) -> dict[str, Any] | None:
    where = f"group {group.name!r}, rule {rule.name!r}"
    if rule.kind != RuleKind.PROMQL and not (isinstance(rule, AlertingRule) and rule.composite):
        left_out.append(f"{where}: its query is {rule.kind}")
        return None
    if not isinstance(rule, AlertingRule):
        return {"record": rule.record, "expr": rule.expr, **({"labels": dict(rule.labels)} if rule.labels else {})}
    made: dict[str, Any] = {
        "alert": rule.name,
        "expr": composite_expression(rule.composite) if rule.composite else rule.expr,
    }
    for key, duration_ms in (("for", rule.for_ms), ("keep_firing_for", rule.keep_firing_for_ms)):
        if duration_ms:
            made[key] = format_duration_ms(duration_ms)
    if rule.cooldown_ms:
        left_out.append(f"{where}: cooldown {format_duration_ms(rule.cooldown_ms)}")
    annotations = dict(rule.annotations)
    if rule.runbook:
        annotations.setdefault("runbook", rule.runbook)
    if rule.labels:
        made["labels"] = dict(rule.labels)
    if annotations:
        made["annotations"] = annotations
    return made


def composite_expression(composite: Composite) -> str:
    """A composite alert as PromQL over `ALERTS`; the value is the number of parts that hold, as it is ours."""
    parts = [_part(composite, matchers, str(at)) for at, matchers in enumerate(composite.parts)]
    by = f" by ({', '.join(composite.on)})" if composite.on else ""
    if composite.operator == CompositeOperator.UNLESS:
        others = "\n  or ".join(parts[1:])
        return f"count{by} ({parts[0]})\nunless on ({', '.join(composite.on)}) (\n  {others}\n)"
    least = {CompositeOperator.AND: len(parts), CompositeOperator.OR: 1}.get(composite.operator, composite.at_least)
    every = "\n  or ".join(parts)
    return f"count{by} (\n  {every}\n) >= {least}"


def _part(composite: Composite, matchers: Sequence[Matcher], number: str) -> str:
    firing = Matcher("alertstate", MatchOperator.EQUAL, "firing")
    series = f"ALERTS{{{', '.join(map(str, (firing, *matchers)))}}}"
    if composite.within_ms:
        series = f"max_over_time({series}[{format_duration_ms(composite.within_ms)}])"
    by = f" by ({', '.join(composite.on)})" if composite.on else ""
    return f'label_replace(max{by} ({series}), "{_PART}", "{number}", "", "")'
