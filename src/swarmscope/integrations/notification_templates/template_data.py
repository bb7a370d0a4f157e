"""What notification templates see. Source: https://prometheus.io/docs/alerting/latest/notifications/#data-structures"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from swarmscope.lang.templates import Record, TemplateFailedError, TemplateFunction, WithMethods
from swarmscope.lang.templates.functions import Kind
from swarmscope.lang.templates.moment_methods import ZERO_MOMENT_NS
from swarmscope.lang.templates.moments import Moment
from swarmscope.model.alerts import ALERT_NAME, Alert, Notification


class KeyValues(dict[str, str], WithMethods):
    """Labels or annotations; a name that is not there is the empty text, as in Go."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or the empty text."""
        return super().get(key, "")

    def template_methods(self) -> Mapping[str, TemplateFunction]:
        """`SortedPairs`, `Names`, `Values`, `Remove`, `String`."""
        return _KV_METHODS


class Pairs(list[Record], WithMethods):
    """Names with their values, in order."""

    def __str__(self) -> str:
        return ", ".join(f"{pair['Name']}={pair['Value']}" for pair in self)

    def template_methods(self) -> Mapping[str, TemplateFunction]:
        """`Names`, `Values`, `String`."""
        return _PAIRS_METHODS


class TemplateAlerts(list[Record], WithMethods):
    """The group's alerts."""

    def template_methods(self) -> Mapping[str, TemplateFunction]:
        """`Firing`, `Resolved`."""
        return _ALERTS_METHODS


def _sorted_pairs(labels: KeyValues) -> Pairs:
    """By name, the alert's name first."""
    names = sorted(labels, key=lambda name: (name != ALERT_NAME, name.encode()))
    return Pairs(Record(Name=name, Value=labels[name]) for name in names)


def _remove(labels: KeyValues, names: object) -> KeyValues:
    if not isinstance(names, list | tuple):
        raise TemplateFailedError("wrong type for value; expected []string")
    return KeyValues({name: value for name, value in labels.items() if name not in names})


def _column(pairs: Sequence[Record], field: str) -> list[object]:
    return [pair[field] for pair in pairs]


def _with_status(alerts: TemplateAlerts, status: str) -> TemplateAlerts:
    return TemplateAlerts(alert for alert in alerts if alert["Status"] == status)


def _method(call: Any, *kinds: Kind) -> TemplateFunction:
    return TemplateFunction(call, (Kind.ANY, *kinds))


_KV_METHODS = MappingProxyType({
    "SortedPairs": _method(_sorted_pairs),
    "Names": _method(lambda labels: _column(_sorted_pairs(labels), "Name")),
    "Values": _method(lambda labels: _column(_sorted_pairs(labels), "Value")),
    "Remove": _method(_remove, Kind.ANY),
    "String": _method(lambda labels: str(_sorted_pairs(labels))),
})  # fmt: skip
_PAIRS_METHODS = MappingProxyType({
    "Names": _method(lambda pairs: _column(pairs, "Name")),
    "Values": _method(lambda pairs: _column(pairs, "Value")),
    "String": _method(str),
})  # fmt: skip
_ALERTS_METHODS = MappingProxyType({
    "Firing": _method(lambda alerts: _with_status(alerts, "firing")),
    "Resolved": _method(lambda alerts: _with_status(alerts, "resolved")),
})  # fmt: skip


def template_data(notification: Notification) -> Record:
    """The data of a notification: `.Status`, `.Alerts`, `.CommonLabels` … and `.Incident`, which is ours."""
    alerts = TemplateAlerts(_alert_record(alert, notification.now_ns) for alert in notification.alerts)
    return Record(
        Receiver=notification.receiver,
        Status=notification.status,
        Alerts=alerts,
        GroupLabels=KeyValues(notification.group_labels),
        RouteLabels=KeyValues(notification.route_labels),
        CommonLabels=KeyValues(_common(alert.labels for alert in notification.alerts)),
        CommonAnnotations=KeyValues(_common(alert.annotations for alert in notification.alerts)),
        ExternalURL=notification.external_url,
        GroupKey=notification.group_key,
        Incident=notification.incident,
    )


def shown_end_ns(alert: Alert, now_ns: int) -> int:
    """The end as it is told: Go's zero time while the alert goes on, for what it has then is a guess."""
    return alert.ends_ns if alert.is_resolved(now_ns) else ZERO_MOMENT_NS


def group_key_hash(notification: Notification) -> str:
    """The group's key for systems that want a short one: SHA-256, 64 hex digits, as Alertmanager makes it."""
    return hashlib.sha256(notification.group_key.encode("utf-8", "surrogateescape")).hexdigest()


def _alert_record(alert: Alert, now_ns: int) -> Record:
    return Record(
        Status="resolved" if alert.is_resolved(now_ns) else "firing",
        Labels=KeyValues(alert.labels),
        Annotations=KeyValues(alert.annotations),
        StartsAt=Moment(alert.starts_ns),
        EndsAt=Moment(shown_end_ns(alert, now_ns)),
        GeneratorURL=alert.generator_url,
        Fingerprint=alert.fingerprint,
    )


def _common(sets: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """What all of them have with the same value."""
    common: dict[str, str] | None = None
    for each in sets:
        if common is None:
            common = dict(each)
        else:
            common = {name: value for name, value in common.items() if each.get(name) == value}
    return common or {}
