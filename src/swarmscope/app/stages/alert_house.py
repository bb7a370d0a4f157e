"""Delivery as the APIs see it."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence

from swarmscope.alerting.delivery.house import Delivery, Integration
from swarmscope.alerting.delivery.shown_config import shown_config
from swarmscope.alerting.delivery.silences import (
    Silence,
    SilenceRefusedError,
    SilenceState,
    UnknownSilenceError,
)
from swarmscope.api.alertmanager import parts as api
from swarmscope.api.alerts.parts import IntegrationOutcome, UnknownReceiverError
from swarmscope.model.alerts import Alert, Notification, NotificationReason, NotifyFailedError
from swarmscope.model.contracts import AlertSink, Clock

_NS_PER_MS, _NS_PER_S = 1_000_000, 1_000_000_000
_TEST_TIMEOUT_S = 20.0
_TEST_LABELS = {"alertname": "TestNotification", "severity": "info"}
_TEST_ANNOTATIONS = {"summary": "This is a test: nothing is wrong."}


class DeliveryHouse:
    """The `AlertHouse` of a delivery; `sink` takes what senders say, and hands it to delivery too."""

    def __init__(self, delivery: Delivery, sink: AlertSink, clock: Clock) -> None:
        self._delivery, self._sink, self._clock = delivery, sink, clock

    def alerts(self, tenant: str) -> list[api.StandingAlert]:
        """As `AlertHouse`."""
        delivery, now_ns = self._delivery, self._clock.now_ns()
        with delivery.lock:
            self._learn()
            muted = {route.key: delivery.muted_by(route, now_ns) for route in delivery.config.route.walk()}
            found = []
            for alert in delivery.alerts.all():
                if alert.tenant != tenant or alert.is_resolved(now_ns):
                    continue
                routes = delivery.config.route.match(alert.labels)
                by_route = [muted[route.key] for route in routes]
                # An alert is quiet where every route to a receiver is.
                names = tuple(dict.fromkeys(name for each in by_route for name in each)) if all(by_route) else ()
                receivers = [route.options.receiver for route in routes]
                found.append(api.StandingAlert(alert, receivers, self._standing(alert, now_ns, names)))
            return found

    def groups(self, tenant: str) -> list[api.StandingGroup]:
        """As `AlertHouse`."""
        delivery, now_ns = self._delivery, self._clock.now_ns()
        with delivery.lock:
            self._learn()
            found = []
            for group in delivery.groups.values():
                alerts = [alert for alert in group.alerts.values() if not alert.is_resolved(now_ns)]
                if group.tenant != tenant or not alerts:
                    continue
                shown = [
                    api.StandingAlert(alert, self._receivers(alert), self._standing(alert, now_ns, ()))
                    for alert in alerts
                ]
                options = group.route.options
                muted_by = delivery.muted_by(group.route, now_ns)
                found.append(api.StandingGroup(group.labels, options.labels, options.receiver, shown, muted_by))
        return sorted(found, key=lambda group: (sorted(group.labels.items()), group.receiver))

    def take(self, alerts: Sequence[Alert]) -> None:
        """As `AlertHouse`."""
        self._sink.take_alerts(alerts)

    def resolve_timeout_ns(self) -> int:
        """As `AlertHouse`."""
        return self._delivery.config.resolve_timeout_ms * _NS_PER_MS

    def receivers(self) -> Sequence[str]:
        """As `AlertHouse`."""
        return self._delivery.config.receivers

    def config_text(self) -> str:
        """As `AlertHouse`."""
        return shown_config(self._delivery.config.text)

    def silences(self) -> list[api.KeptSilence]:
        """As `AlertHouse`."""
        now_ns = self._clock.now_ns()
        with self._delivery.lock:
            return [_kept(silence, now_ns) for silence in self._delivery.silences.all()]

    def silence(self, silence_id: str) -> api.KeptSilence:
        """As `AlertHouse`."""
        try:
            with self._delivery.lock:
                return _kept(self._delivery.silences.get(silence_id), self._clock.now_ns())
        except UnknownSilenceError:
            raise api.UnknownSilenceError(silence_id) from None

    def set_silence(self, silence: api.KeptSilence) -> str:
        """As `AlertHouse`."""
        wanted = Silence(
            matchers=tuple(silence.matchers),
            starts_ns=silence.starts_ns,
            ends_ns=silence.ends_ns,
            created_by=silence.created_by,
            comment=silence.comment,
            id=silence.id,
            annotations=dict(silence.annotations),
        )
        try:
            return self._delivery.change_silence(wanted)
        except UnknownSilenceError:
            raise api.UnknownSilenceError(silence.id) from None
        except SilenceRefusedError as error:
            raise api.SilenceRefusedError(str(error)) from None

    def expire_silence(self, silence_id: str) -> None:
        """As `AlertHouse`; one that is over already stays so, as with Alertmanager."""
        try:
            with self._delivery.lock:
                if self._delivery.silences.get(silence_id).state(self._clock.now_ns()) is not SilenceState.EXPIRED:
                    self._delivery.expire_silence(silence_id)
        except UnknownSilenceError:
            raise api.UnknownSilenceError(silence_id) from None

    def _learn(self) -> None:
        self._delivery.inhibitor.learn(self._delivery.alerts.all(), self._delivery.alerts.version)

    def _receivers(self, alert: Alert) -> list[str]:
        return [route.options.receiver for route in self._delivery.config.route.match(alert.labels)]

    def _standing(self, alert: Alert, now_ns: int, muted_by: Sequence[str]) -> api.AlertStanding:
        silenced_by = self._delivery.silences.silenced_by(alert.labels, now_ns)
        inhibited_by = self._delivery.inhibitor.inhibited_by(alert, now_ns)
        state = "suppressed" if silenced_by or inhibited_by else "active"
        return api.AlertStanding(state, silenced_by, inhibited_by, muted_by)


def _kept(silence: Silence, now_ns: int) -> api.KeptSilence:
    return api.KeptSilence(
        silence.id, silence.matchers, silence.starts_ns, silence.ends_ns, silence.updated_ns, silence.created_by,
        silence.comment, silence.annotations, silence.state(now_ns).value,
    )  # fmt: skip


class DeliveryTester:
    """The `ReceiverTester` of a delivery."""

    def __init__(self, delivery: Delivery, clock: Clock, external_url: str) -> None:
        self._delivery, self._clock, self._external_url = delivery, clock, external_url

    def integrations(self) -> dict[str, list[tuple[str, int]]]:
        """As `ReceiverTester`."""
        return {
            name: [(each.notifier.kind, each.number) for each in self._delivery.integrations_of(name)]
            for name in self._delivery.config.receivers
        }

    def test(self, receiver: str, labels: Mapping[str, str]) -> list[IntegrationOutcome]:
        """As `ReceiverTester`; integrations are told one after the other."""
        if receiver not in self._delivery.config.receivers:
            raise UnknownReceiverError(receiver)
        notification = self._notification(receiver, {**_TEST_LABELS, **labels})
        return [self._tell(each, notification) for each in self._delivery.integrations_of(receiver)]

    def _tell(self, integration: Integration, notification: Notification) -> IntegrationOutcome:
        began_s, error = time.monotonic(), ""
        try:
            self._delivery.test(integration, notification, _TEST_TIMEOUT_S)
        except NotifyFailedError as failure:
            error = str(failure)
        took_s = time.monotonic() - began_s
        return IntegrationOutcome(integration.notifier.kind, integration.number, error, took_s)

    def _notification(self, receiver: str, labels: Mapping[str, str]) -> Notification:
        now_ns, made_id = self._clock.now_ns(), str(uuid.uuid4())
        alert = Alert(labels, _TEST_ANNOTATIONS, now_ns, now_ns + 60 * _NS_PER_S, now_ns, self._external_url)
        group_labels = {"alertname": labels["alertname"]}
        return Notification(
            id=made_id,
            receiver=receiver,
            group_key=f"test:{made_id}",
            group_labels=group_labels,
            route_labels={},
            alerts=(alert,),
            now_ns=now_ns,
            reason=NotificationReason.FIRST,
            external_url=self._external_url,
        )
