"""/api/alerts: every alert that is not over, once, with what its rule and what delivery know of it."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from swarmscope.alerting.rules.view import AlertView, GroupView, RuleView
from swarmscope.api.agents.endpoint import refuse
from swarmscope.api.agents.shapes import time_json
from swarmscope.api.alertmanager.filters import labels_filter
from swarmscope.api.alertmanager.parts import StandingAlert
from swarmscope.api.alerts.endpoint import AlertsExchange
from swarmscope.api.prometheus.rules import all_alerts, spell_value
from swarmscope.model.alerts import SEVERITY, AlertPhase, fingerprint

STATES = ("firing", "pending", "silenced", "inhibited", "muted")
_NS_PER_MS = 1_000_000


async def current_alerts(exchange: AlertsExchange) -> Response:
    """Alerts with `filter` and `state`."""
    states = exchange.parameters.texts("state")
    if unknown := [state for state in states if state not in STATES]:
        raise refuse(f"'state' is one of {', '.join(STATES)}, not {unknown[0]!r}")
    is_wanted = labels_filter(exchange.matchers())

    def make() -> dict[str, Any]:
        found = [
            alert for alert in _all(exchange) if is_wanted(alert["labels"]) and (not states or alert["state"] in states)
        ]
        return {"alerts": sorted(found, key=lambda alert: (STATES.index(alert["state"]), alert["fingerprint"]))}

    return await exchange.answer(make)


def _all(exchange: AlertsExchange) -> list[dict[str, Any]]:
    parts = exchange.parts
    standing = (
        {} if parts.house is None else {each.alert.fingerprint: each for each in parts.house.alerts(exchange.tenant)}
    )
    found = []
    rules = parts.rules if exchange.tenant == parts.rules_tenant else None
    for group, rule, alert in all_alerts(rules):
        sent = fingerprint({**parts.external_labels, **alert.labels})
        shown = standing.pop(sent, None) if alert.phase is AlertPhase.FIRING else None
        found.append(_of_rule(group, rule, alert, shown))
    return [*found, *map(_of_sender, standing.values())]


def _of_rule(group: GroupView, rule: RuleView, alert: AlertView, shown: StandingAlert | None) -> dict[str, Any]:
    told = {
        **_identity(dict(alert.labels), fingerprint(alert.labels)),
        "state": "pending" if alert.phase is AlertPhase.PENDING else _state(shown),
        "annotations": dict(alert.annotations),
        "active_at": time_json(alert.active_ms * _NS_PER_MS),
        "starts_at": time_json(alert.fired_ms * _NS_PER_MS),
        "value": spell_value(alert.value),
        "source": {
            "kind": "rule",
            "file": group.group.file,
            "group": group.group.name,
            "rule": rule.rule.name,
            "runbook": getattr(rule.rule, "runbook", ""),
        },
    }
    return {**told, **_delivery(shown)}


def _of_sender(shown: StandingAlert) -> dict[str, Any]:
    alert = shown.alert
    return {
        **_identity(dict(alert.labels), alert.fingerprint),
        "state": _state(shown),
        "annotations": dict(alert.annotations),
        "active_at": time_json(alert.starts_ns),
        "starts_at": time_json(alert.starts_ns),
        "value": None,
        "source": {"kind": "sender"},
        **_delivery(shown),
    }


def _identity(labels: dict[str, str], made_of: str) -> dict[str, Any]:
    return {
        "fingerprint": made_of,
        "name": labels.get("alertname", ""),
        "severity": labels.get(SEVERITY, ""),
        "labels": labels,
    }


def _state(shown: StandingAlert | None) -> str:
    if shown is None:
        return "firing"
    if shown.standing.silenced_by:
        return "silenced"
    if shown.standing.inhibited_by:
        return "inhibited"
    return "muted" if shown.standing.muted_by else "firing"


def _delivery(shown: StandingAlert | None) -> dict[str, Any]:
    if shown is None:
        return {"receivers": [], "silenced_by": [], "inhibited_by": [], "muted_by": [], "updated_at": None,
                "ends_at": None, "generator_url": ""}  # fmt: skip
    return {
        "receivers": list(shown.receivers),
        "silenced_by": list(shown.standing.silenced_by),
        "inhibited_by": list(shown.standing.inhibited_by),
        "muted_by": list(shown.standing.muted_by),
        "updated_at": time_json(shown.alert.updated_ns),
        "ends_at": time_json(shown.alert.ends_ns),
        "generator_url": shown.alert.generator_url,
    }
