"""Delivery put together: configuration, notifiers, what the API shows of it, and the test of a receiver."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from swarmscope.alerting.delivery import silences as kept_silences
from swarmscope.alerting.delivery.config import DeliveryConfig
from swarmscope.alerting.delivery.config_file import load_config, parse_config
from swarmscope.alerting.delivery.house import Delivery, Integration
from swarmscope.alerting.delivery.routing import Route
from swarmscope.alerting.delivery.shown_config import shown_config
from swarmscope.api.alertmanager.parts import (
    AlertStanding,
    KeptSilence,
    SilenceRefusedError,
    StandingAlert,
    StandingGroup,
    UnknownSilenceError,
)
from swarmscope.api.alerts.parts import IntegrationOutcome, UnknownReceiverError
from swarmscope.integrations.notification_templates.template_set import load_templates
from swarmscope.integrations.notifiers import make_notifiers
from swarmscope.model.alerts import Alert, Notification, NotificationReason, NotifyFailedError
from swarmscope.model.contracts import Clock

_DEFAULT = Path(kept_silences.__file__).with_name("default_config.yml")
_NS_PER_MS = 1_000_000
_TEST_TIMEOUT_S = 30.0


def read_delivery(path: Path | None) -> tuple[DeliveryConfig, list[Integration]]:
    """A configuration, the program's own where none is named, and its integrations. Raises SwarmscopeError."""
    config = parse_config(_DEFAULT.read_text("utf-8"), _DEFAULT.name) if path is None else load_config(path)
    templates = load_templates(config.templates, config.folder)
    notifiers = make_notifiers(config.integrations, templates)
    return config, [
        Integration(each.receiver, each.index, notifier)
        for each, notifier in zip(config.integrations, notifiers, strict=True)
    ]


def reloading(delivery: Delivery, path: Path | None) -> Callable[[], None]:
    """Reads the configuration again; raises SwarmscopeError, while the old one goes on."""

    def reload() -> None:
        delivery.reload(*read_delivery(path))

    return reload


class DeliveryHouse:
    """What Alertmanager's API shows and changes. Implements `AlertHouse`."""

    def __init__(self, delivery: Delivery, clock: Clock) -> None:
        self._delivery, self._clock = delivery, clock

    def alerts(self, tenant: str) -> list[StandingAlert]:
        """As `AlertHouse`."""
        now_ns = self._clock.now_ns()
        with self._delivery.lock:
            known = [each for each in self._delivery.alerts.all() if each.tenant == tenant]
            return [self._standing(alert, now_ns) for alert in known if not alert.is_resolved(now_ns)]

    def groups(self, tenant: str) -> list[StandingGroup]:
        """As `AlertHouse`."""
        now_ns, delivery = self._clock.now_ns(), self._delivery
        with delivery.lock:
            found = []
            for group in delivery.groups.values():
                alerts = [each for each in group.alerts.values() if not each.is_resolved(now_ns)]
                if group.tenant != tenant or not alerts:
                    continue
                options = group.route.options
                muted_by = delivery.muted_by(group.route, now_ns)
                shown = [self._standing(alert, now_ns) for alert in alerts]
                found.append(StandingGroup(group.labels, options.labels, options.receiver, shown, muted_by))
        return sorted(found, key=lambda group: (sorted(group.labels.items()), group.receiver))

    def _standing(self, alert: Alert, now_ns: int) -> StandingAlert:
        delivery = self._delivery
        delivery.inhibitor.learn(delivery.alerts.all(), delivery.alerts.version)
        routes = delivery.config.route.match(alert.labels)
        silenced_by = delivery.silences.silenced_by(alert.labels, now_ns)
        inhibited_by = delivery.inhibitor.inhibited_by(alert, now_ns)
        muted_by = [name for route in routes for name in delivery.muted_by(route, now_ns)]
        is_seen = any(
            alert.fingerprint in group.told_of for group in delivery.groups.values() if group.tenant == alert.tenant
        )
        state = "active" if is_seen else "unprocessed"
        if silenced_by or inhibited_by or muted_by:
            state = "suppressed"
        standing = AlertStanding(state, silenced_by, inhibited_by, list(dict.fromkeys(muted_by)))
        return StandingAlert(alert, _receivers(routes), standing)

    def take(self, alerts: Sequence[Alert]) -> None:
        """As `AlertHouse`."""
        self._delivery.take_alerts(alerts)

    def resolve_timeout_ns(self) -> int:
        """As `AlertHouse`."""
        return self._delivery.config.resolve_timeout_ms * _NS_PER_MS

    def receivers(self) -> Sequence[str]:
        """As `AlertHouse`."""
        return self._delivery.config.receivers

    def config_text(self) -> str:
        """As `AlertHouse`."""
        return shown_config(self._delivery.config.text)

    def silences(self) -> list[KeptSilence]:
        """As `AlertHouse`."""
        with self._delivery.lock:
            return [self._kept(each) for each in self._delivery.silences.all()]

    def silence(self, silence_id: str) -> KeptSilence:
        """As `AlertHouse`."""
        try:
            with self._delivery.lock:
                return self._kept(self._delivery.silences.get(silence_id))
        except kept_silences.UnknownSilenceError as error:
            raise UnknownSilenceError(str(error)) from error

    def set_silence(self, silence: KeptSilence) -> str:
        """As `AlertHouse`."""
        made = kept_silences.Silence(
            tuple(silence.matchers), silence.starts_ns, silence.ends_ns, silence.created_by, silence.comment,
            silence.id, silence.updated_ns, silence.annotations,
        )  # fmt: skip
        try:
            return self._delivery.change_silence(made)
        except kept_silences.UnknownSilenceError as error:
            raise UnknownSilenceError(str(error)) from error
        except kept_silences.SilenceRefusedError as error:
            raise SilenceRefusedError(str(error)) from error

    def expire_silence(self, silence_id: str) -> None:
        """As `AlertHouse`."""
        try:
            self._delivery.expire_silence(silence_id)
        except kept_silences.UnknownSilenceError as error:
            raise UnknownSilenceError(str(error)) from error
        except kept_silences.SilenceRefusedError as error:
            raise SilenceRefusedError(str(error)) from error

    def _kept(self, silence: kept_silences.Silence) -> KeptSilence:
        return KeptSilence(
            silence.id, silence.matchers, silence.starts_ns, silence.ends_ns, silence.updated_ns, silence.created_by,
            silence.comment, silence.annotations, silence.state(self._clock.now_ns()).value,
        )  # fmt: skip


def _receivers(routes: Sequence[Route]) -> list[str]:
    return list(dict.fromkeys(route.options.receiver for route in routes))


class DeliveryTester:
    """Sends made-up alerts. Implements `ReceiverTester`."""

    def __init__(self, delivery: Delivery, clock: Clock, external_url: str) -> None:
        self._delivery, self._clock, self._external_url = delivery, clock, external_url

    def integrations(self) -> Mapping[str, Sequence[tuple[str, int]]]:
        """As `ReceiverTester`."""
        config = self._delivery.config
        found: dict[str, list[tuple[str, int]]] = {name: [] for name in config.receivers}
        for each in config.integrations:
            found[each.receiver].append((each.kind, each.index))
        return found

    def test(self, receiver: str, labels: Mapping[str, str]) -> list[IntegrationOutcome]:
        """As `ReceiverTester`."""
        if receiver not in self._delivery.config.receivers:
            raise UnknownReceiverError(receiver)
        now_ns = self._clock.now_ns()
        hour_ns = int(timedelta(hours=1).total_seconds()) * 1_000 * _NS_PER_MS
        alert = Alert(labels, {"summary": "This is a test."}, now_ns, now_ns + hour_ns, now_ns, self._external_url)
        outcomes, numbers = [], Counter[str]()
        for integration in self._delivery.integrations_of(receiver):
            notification = Notification(
                f"test-{now_ns}", receiver, f"{{}}/test:{receiver}", labels, {}, (alert,), now_ns,
                NotificationReason.FIRST, self._external_url,
            )  # fmt: skip
            began_s, error = time.monotonic(), ""
            try:
                self._delivery.test(integration, notification, _TEST_TIMEOUT_S)
            except NotifyFailedError as failure:
                error = str(failure)
            kind = integration.notifier.kind
            outcomes.append(IntegrationOutcome(kind, numbers[kind], error, time.monotonic() - began_s))
            numbers[kind] += 1
        return outcomes
