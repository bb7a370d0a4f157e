"""/alerts, /alerts/groups and /receivers."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import BaseRoute

from swarmscope.api.alertmanager.bodies import PostedAlert, read_json, to_alerts
from swarmscope.api.alertmanager.endpoint import Exchange, api_route, done
from swarmscope.api.alertmanager.filters import alert_filter, receiver_filter
from swarmscope.api.alertmanager.moments import MAX_NS
from swarmscope.api.alertmanager.parts import AlertmanagerParts
from swarmscope.api.alertmanager.refusals import refuse
from swarmscope.api.alertmanager.shapes import to_alert_json, to_group_json
from swarmscope.model.alerts import Alert


def alert_routes(parts: AlertmanagerParts) -> list[BaseRoute]:
    """The endpoints."""
    return [
        api_route(parts, "/alerts", {"GET": _alerts, "POST": _post_alerts}),
        api_route(parts, "/alerts/groups", {"GET": _groups}),
        api_route(parts, "/receivers", {"GET": _receivers}),
    ]


async def _alerts(exchange: Exchange) -> Response:
    is_wanted, is_receiver = alert_filter(exchange), receiver_filter(exchange)

    def make() -> object:
        found = [
            shown
            for shown in exchange.house.alerts(exchange.tenant)
            if any(map(is_receiver, shown.receivers)) and is_wanted(shown)
        ]
        return [to_alert_json(shown) for shown in sorted(found, key=lambda shown: shown.alert.fingerprint)]

    return await exchange.answer(make)


async def _groups(exchange: Exchange) -> Response:
    is_wanted, is_receiver = alert_filter(exchange), receiver_filter(exchange)
    with_muted = exchange.flag("muted", default=True)

    def make() -> object:
        made = []
        for group in exchange.house.groups(exchange.tenant):
            if not is_receiver(group.receiver) or (group.muted_by and not with_muted):
                continue
            if kept := [shown for shown in group.alerts if is_wanted(shown)]:
                made.append(to_group_json(group, sorted(kept, key=lambda shown: shown.alert.fingerprint)))
        return made

    return await exchange.answer(make)


async def _receivers(exchange: Exchange) -> Response:
    is_receiver = receiver_filter(exchange)
    return await exchange.answer(lambda: [{"name": name} for name in exchange.house.receivers() if is_receiver(name)])


async def _post_alerts(exchange: Exchange) -> Response:
    posted = to_alerts(await read_json(exchange.request, "alerts"))

    def take() -> list[str]:
        now_ns = exchange.parts.clock.now_ns()
        timeout_ns = exchange.house.resolve_timeout_ns()
        good: list[Alert] = []
        problems: list[str] = []
        for one in posted:
            alert = _to_alert(one, now_ns, timeout_ns, exchange.tenant)
            if (problem := _problem_of(alert)) is None:
                good.append(alert)
            else:
                problems.append(problem)
        # Those that are right are taken whatever is wrong with the others, as in Alertmanager.
        exchange.house.take(good)
        return problems

    if problems := await exchange.work(take):
        raise refuse("; ".join(problems))
    return done()


def _to_alert(one: PostedAlert, now_ns: int, timeout_ns: int, tenant: str) -> Alert:
    starts_ns = one.starts_ns
    if starts_ns is None:
        starts_ns = now_ns if one.ends_ns is None else one.ends_ns
    return Alert(
        labels=one.labels,
        annotations=one.annotations,
        starts_ns=starts_ns,
        ends_ns=min(now_ns + timeout_ns, MAX_NS) if one.ends_ns is None else one.ends_ns,
        updated_ns=now_ns,
        generator_url=one.generator_url,
        tenant=tenant,
        has_timeout=one.ends_ns is None,
    )


def _problem_of(alert: Alert) -> str | None:
    """What makes it no alert, in Alertmanager's words."""
    if alert.ends_ns < alert.starts_ns:
        return "start time must be before end time"
    if not alert.labels:
        return "at least one label pair required"
    if "" in alert.labels:
        return 'invalid label set: invalid name ""'
    if "" in alert.annotations:
        return 'invalid annotations: invalid name ""'
    return None
