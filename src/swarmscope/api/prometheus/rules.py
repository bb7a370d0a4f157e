"""/rules and /alerts: what rules say. Shapes: https://prometheus.io/docs/prometheus/latest/querying/api/#rules"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.alerting.rules.rules import AlertingRule, Composite, Rule, RuleKind
from swarmscope.alerting.rules.view import AlertView, GroupView, RulesView, RuleView
from swarmscope.api.answers import accepts_gzip, success
from swarmscope.api.failures import ApiError
from swarmscope.api.parameters import Parameters
from swarmscope.api.prometheus.endpoint import Exchange, ReadPath
from swarmscope.api.prometheus.expressions import matches
from swarmscope.lang.matchers import to_text as matcher_text
from swarmscope.lang.promql import parse_promql, to_text
from swarmscope.model.errors import SwarmscopeError
from swarmscope.model.matchers import Matcher

_MS_PER_S = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = "0001-01-01T00:00:00Z"
_TRUE, _FALSE = ("1", "t", "T", "true", "TRUE", "True"), ("0", "f", "F", "false", "FALSE", "False")
RuleFilter = Callable[[RuleView], bool]


def rule_routes(path: ReadPath) -> list[BaseRoute]:
    """The endpoints; without rules their lists are empty."""
    return [path.route("/rules", _rules), path.route("/alerts", _alerts)]


async def _rules(exchange: Exchange) -> Response:
    view, parameters = exchange.path.parts.rules, exchange.parameters
    with_alerts = not _flag(parameters, "exclude_alerts")
    is_wanted = _rule_filter(exchange)
    limit, token = _page(parameters)
    groups, files = parameters.texts("rule_group[]"), parameters.texts("file[]")
    gzip = accepts_gzip(exchange.request)

    def make() -> Response:
        found = _from_token(() if view is None else view.groups(), token)
        shown: list[dict[str, Any]] = []
        following = ""
        for each in found:
            if (groups and each.group.name not in groups) or (files and each.group.file not in files):
                continue
            rules = [rule for rule in each.rules if is_wanted(rule)]
            # As in Prometheus a group none of whose rules is asked for is left out, though not one that has none.
            if not rules:
                continue
            if limit and len(shown) == limit:
                following = _token(each)
                break
            shown.append(_group_json(each, rules, with_alerts=with_alerts))
        return success({"groups": shown, **({"groupNextToken": following} if following else {})}, gzip=gzip)

    return await exchange.path.parts.run(make)


async def _alerts(exchange: Exchange) -> Response:
    view, gzip = exchange.path.parts.rules, accepts_gzip(exchange.request)

    def make() -> Response:
        return success({"alerts": [alert_json(alert) for _, _, alert in all_alerts(view)]}, gzip=gzip)

    return await exchange.path.parts.run(make)


def all_alerts(view: RulesView | None) -> Iterator[tuple[GroupView, RuleView, AlertView]]:
    """Every alert with its rule and group."""
    for group in () if view is None else view.groups():
        for rule in group.rules:
            for alert in rule.alerts:
                yield group, rule, alert


def _rule_filter(exchange: Exchange) -> RuleFilter:
    """Whether a rule is asked for. Raises ApiError."""
    parameters = exchange.parameters
    kind, names = parameters.text("type").lower(), parameters.texts("rule_name[]")
    if kind not in ("", "alert", "record"):
        raise ApiError("bad_data", f'invalid parameter "type": not supported value "{kind}"')
    selections = exchange.matchers(parameters.texts("match[]"))

    def is_wanted(view: RuleView) -> bool:
        is_alerting = isinstance(view.rule, AlertingRule)
        if (kind == "alert" and not is_alerting) or (kind == "record" and is_alerting):
            return False
        if names and view.rule.name not in names:
            return False
        return not selections or any(_fulfils(view.rule.labels, matchers) for matchers in selections)

    return is_wanted


def _fulfils(labels: Mapping[str, str], matchers: Sequence[Matcher]) -> bool:
    return all(matches(matcher, labels.get(matcher.name, "")) for matcher in matchers)


def _flag(parameters: Parameters, name: str) -> bool:
    text = parameters.text(name)
    if text and text not in _TRUE + _FALSE:
        reason = f'strconv.ParseBool: parsing "{text}": invalid syntax'
        raise ApiError("bad_data", f'invalid parameter "{name}": error converting {name}: {reason}')
    return text in _TRUE


def _page(parameters: Parameters) -> tuple[int, str]:
    """`group_limit`, 0 for none, and `group_next_token`. Raises ApiError."""
    text, token = parameters.text("group_limit"), parameters.text("group_next_token")
    if not text:
        if token:
            reason = "group_limit needs to be present in order to paginate over the groups"
            raise ApiError("bad_data", f'invalid parameter "group_next_token": {reason}')
        return 0, ""
    if not (text.isascii() and text.removeprefix("-").removeprefix("+").isdigit()):
        reason = f'group_limit needs to be a valid number: strconv.ParseInt: parsing "{text}": invalid syntax'
        raise ApiError("bad_data", f'invalid parameter "group_limit": {reason}')
    if int(text) <= 0:
        raise ApiError("bad_data", 'invalid parameter "group_limit": group_limit needs to be greater than 0')
    return int(text), token


def _from_token(groups: Sequence[GroupView], token: str) -> Sequence[GroupView]:
    if not token:
        return groups
    for at, each in enumerate(groups):
        if _token(each) == token:
            return groups[at:]
    reason = f"invalid group_next_token '{token}'. were rule groups changed?"
    raise ApiError("bad_data", f'invalid parameter "group_next_token": {reason}')


def _token(view: GroupView) -> str:
    return hashlib.sha1(f"{view.group.file};{view.group.name}".encode(), usedforsecurity=False).hexdigest()


def _group_json(view: GroupView, rules: Sequence[RuleView], *, with_alerts: bool) -> dict[str, Any]:
    return {
        "name": view.group.name,
        "file": view.group.file,
        "rules": [rule_json(rule, with_alerts=with_alerts) for rule in rules],
        "interval": number(view.interval_ms / _MS_PER_S),
        "limit": view.group.limit,
        "evaluationTime": view.evaluation_s,
        "lastEvaluation": spell_time(view.evaluated_ms),
    }


def rule_json(view: RuleView, *, with_alerts: bool) -> dict[str, Any]:
    """One rule, as Prometheus shows it."""
    rule, went = view.rule, _health_json(view)
    if not isinstance(rule, AlertingRule):
        labels = {"labels": dict(rule.labels)} if rule.labels else {}
        return {"name": rule.name, "query": spell_query(rule), **labels, **went, "type": "recording"}
    return {
        "state": view.phase.value,
        "name": rule.name,
        "query": spell_query(rule),
        "duration": number(rule.for_ms / _MS_PER_S),
        "keepFiringFor": number(rule.keep_firing_for_ms / _MS_PER_S),
        "labels": dict(rule.labels),
        "annotations": dict(rule.annotations),
        "alerts": [alert_json(alert) for alert in view.alerts] if with_alerts else [],
        **went,
        "type": "alerting",
    }


def _health_json(view: RuleView) -> dict[str, Any]:
    return {
        "health": view.health.value,
        **({"lastError": view.last_error} if view.last_error else {}),
        "evaluationTime": view.evaluation_s,
        "lastEvaluation": spell_time(view.evaluated_ms),
    }


def alert_json(alert: AlertView) -> dict[str, Any]:
    """One alert, as Prometheus shows it."""
    kept = {"keepFiringSince": spell_time(alert.keep_firing_since_ms)} if alert.keep_firing_since_ms else {}
    return {
        "labels": dict(alert.labels),
        "annotations": dict(alert.annotations),
        "state": alert.phase.value,
        "activeAt": spell_time(alert.active_ms),
        **kept,
        "value": spell_value(alert.value),
    }


def spell_query(rule: Rule) -> str:
    """The expression as the language's printer lays it out; of a composite alert its operator and parts."""
    if isinstance(rule, AlertingRule) and rule.composite is not None:
        return _spell_composite(rule.composite)
    return _printed(rule.expr) if rule.kind is RuleKind.PROMQL else rule.expr.strip()


@lru_cache(maxsize=16_384)
def _printed(expression: str) -> str:
    try:
        return to_text(parse_promql(expression))
    except SwarmscopeError:  # the rule's own error says what is wrong
        return expression


def _spell_composite(composite: Composite) -> str:
    parts = ["{" + ", ".join(map(matcher_text, part)) + "}" for part in composite.parts]
    if composite.at_least:
        return f"at_least({composite.at_least}, {', '.join(parts)})"
    return f" {composite.operator.value} ".join(parts)


def spell_time(time_ms: int) -> str:
    """RFC 3339; Go's zero time where there is none."""
    if not time_ms:
        return _NEVER
    moment = _EPOCH + timedelta(milliseconds=time_ms)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % _MS_PER_S:03d}Z"


def spell_value(value: float) -> str:
    """The fewest digits that read back as the same number, with an exponent: `1e+00`, as Go writes values of alerts."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).as_tuple()
    kept = "".join(map(str, digits)).rstrip("0") or "0"
    power = int(exponent) + len(digits) - 1 if kept != "0" else 0
    head, tail = kept[0], kept[1:]
    return f"{'-' if sign else ''}{head}{'.' if tail else ''}{tail}e{'-' if power < 0 else '+'}{abs(power):02d}"


def number(value: float) -> float | int:
    """Whole numbers without a fraction, as Go writes them."""
    return int(value) if value == int(value) else value
