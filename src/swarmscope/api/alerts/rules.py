"""/api/rules: groups of rules as their files say it, with places, our own fields, and what is wrong with files."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from swarmscope.alerting.rules.rules import AlertingRule
from swarmscope.alerting.rules.view import GroupView, RuleView
from swarmscope.api.alerts.endpoint import AlertsExchange
from swarmscope.api.prometheus.rules import number, rule_json, spell_time

_MS_PER_S = 1000


async def all_rules(exchange: AlertsExchange) -> Response:
    """All groups, and the problems of the last reload."""
    view = exchange.parts.rules if exchange.tenant == exchange.parts.rules_tenant else None

    def make() -> dict[str, Any]:
        if view is None:
            return {"groups": [], "problems": []}
        problems = [
            {"file": each.file, "line": each.line, "column": each.column, "message": each.message}
            for each in view.problems()
        ]
        return {"groups": list(map(_group_json, view.groups())), "problems": problems}

    return await exchange.answer(make)


def _group_json(view: GroupView) -> dict[str, Any]:
    group = view.group
    offset_ms = group.query_offset_ms
    return {
        "name": group.name,
        "file": group.file,
        "line": group.place.line,
        "interval": number(view.interval_ms / _MS_PER_S),
        "limit": group.limit,
        "query_offset": None if offset_ms is None else number(offset_ms / _MS_PER_S),
        "evaluationTime": view.evaluation_s,
        "lastEvaluation": spell_time(view.evaluated_ms),
        "rules": list(map(_rule_json, view.rules)),
    }


def _rule_json(view: RuleView) -> dict[str, Any]:
    """As Prometheus shows it, and what only our files can say."""
    rule = view.rule
    told = {**rule_json(view, with_alerts=True), "kind": rule.kind.value, "line": rule.place.line}
    if not isinstance(rule, AlertingRule):
        return told
    cooldown_ms, composite = rule.cooldown_ms, rule.composite
    return {
        **told,
        "cooldown": None if cooldown_ms is None else number(cooldown_ms / _MS_PER_S),
        "runbook": rule.runbook,
        "composite": None
        if composite is None
        else {
            "operator": composite.operator.value,
            "alerts": ["{" + ",".join(map(str, part)) + "}" for part in composite.parts],
            "at_least": composite.at_least,
            "within": number(composite.within_ms / _MS_PER_S),
            "on": list(composite.on),
        },
    }
