"""Delivery: takes alerts, and tells receivers of them in groups. State is guarded by one lock; waiting is done in
an event loop of its own, so that one receiver which hangs delays nobody."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import logging
import threading
import uuid
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from swarmscope.alerting.delivery.alert_store import AlertStore
from swarmscope.alerting.delivery.config import DeliveryConfig
from swarmscope.alerting.delivery.groups import INCIDENT, Group, in_order
from swarmscope.alerting.delivery.inhibition import Inhibitor
from swarmscope.alerting.delivery.notification_log import LogEntry, NotificationLog, reason_to_tell
from swarmscope.alerting.delivery.routing import Route
from swarmscope.alerting.delivery.sending import RetrySettings, send
from swarmscope.alerting.delivery.silences import Silence, Silences
from swarmscope.alerting.incidents.grouping_protocol import IncidentGrouper
from swarmscope.model.alerts import Alert, FailureKind, Notification, NotificationReason, NotifyFailedError
from swarmscope.model.contracts import Clock, Notifier, StateStore
from swarmscope.model.errors import SwarmscopeError

_log = logging.getLogger(__name__)
_NS_PER_MS, _NS_PER_S = 1_000_000, 1_000_000_000
_LEAST_FLUSH_S = 10.0
_DRAIN_S = 5.0
_UPKEEP_S = 60.0


class Integration(NamedTuple):
    """One integration of a receiver."""

    receiver: str
    number: int  # among those of its kind in the receiver
    notifier: Notifier

    @property
    def name(self) -> str:
        """Unique in a configuration."""
        return f"{self.receiver}/{self.notifier.kind}/{self.number}"


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a notification, for the history."""

    notification: Notification
    integration: str
    error: str  # "" where it was taken
    at_ns: int


class DeliverySettings(NamedTuple):
    """What does not stand in the configuration."""

    external_url: str = ""
    retries: RetrySettings = RetrySettings()


class Delivery:
    """Implements `AlertSink`. Every method but `_…` may be called from any thread."""

    def __init__(
        self,
        config: DeliveryConfig,
        integrations: Sequence[Integration],
        state: StateStore,
        clock: Clock,
        settings: DeliverySettings,
        on_told: Callable[[Told], None] = lambda told: None,
    ) -> None:
        """Takes up what was kept. Raises UnavailableError."""
        self._clock, self._settings, self._on_told = clock, settings, on_told
        self.lock = threading.RLock()
        self.config = config
        self._integrations = list(integrations)
        self.alerts = AlertStore(state, clock.now_ns())
        self.silences = Silences(state)
        self._log = NotificationLog(state)
        self.inhibitor = Inhibitor(config.inhibit_rules)
        self.groups: dict[tuple[str, str], Group] = {}
        self.grouper: IncidentGrouper | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="swarmscope-delivery", daemon=True)
        self._flushing: set[asyncio.Task[None]] = set()
        self._stopping = False

    # From outside

    def start(self) -> None:
        """Begin, with the alerts that were remembered."""
        self._thread.start()
        self._call(self._begin())

    def stop(self) -> None:
        """End; what is being sent has some seconds to arrive."""
        if self._thread.is_alive():
            with contextlib.suppress(concurrent.futures.TimeoutError):
                self._call(self._drain(), 2 * _DRAIN_S)
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def take_alerts(self, alerts: Sequence[Alert]) -> None:
        """As `AlertSink`."""
        with self.lock:
            taken = self.alerts.put(alerts)
        if not self._stopping:
            self._loop.call_soon_threadsafe(self._route, taken)

    def reload(self, config: DeliveryConfig, integrations: Sequence[Integration]) -> None:
        """Go on with another configuration; what is being sent goes on."""
        self._call(self._reload(config, list(integrations)))

    def change_silence(self, silence: Silence) -> str:
        """Make or change a silence; its id. Raises SilenceRefusedError, UnknownSilenceError and UnavailableError."""
        with self.lock:
            return self.silences.put(silence, self._clock.now_ns())

    def expire_silence(self, name: str) -> None:
        """End a silence. Raises SilenceRefusedError, UnknownSilenceError and UnavailableError."""
        with self.lock:
            self.silences.expire(name, self._clock.now_ns())

    def integrations_of(self, receiver: str) -> list[Integration]:
        """Those of one receiver."""
        return [each for each in self._integrations if each.receiver == receiver]

    def test(self, integration: Integration, notification: Notification, timeout_s: float) -> None:
        """Try once to tell one integration. Raises NotifyFailedError."""

        async def once() -> None:
            async with asyncio.timeout(timeout_s):
                await integration.notifier.notify(notification, {})

        try:
            self._call(once(), timeout_s + 1)
        except TimeoutError as error:
            raise NotifyFailedError(
                f"no answer within {timeout_s:.0f} s", retryable=True, kind=FailureKind.TIMEOUT
            ) from error

    def muted_by(self, route: Route, now_ns: int) -> tuple[str, ...]:
        """Names of the time intervals that keep a route quiet now."""
        intervals, options = self.config.time_intervals, route.options

        def holds(name: str) -> bool:
            return any(each.holds(now_ns) for each in intervals.get(name, ()))

        if options.active_time_intervals and not any(map(holds, options.active_time_intervals)):
            return options.active_time_intervals
        return tuple(name for name in options.mute_time_intervals if holds(name))

    # In the loop's thread

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _call(self, work: Coroutine[Any, Any, None], timeout_s: float | None = None) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout_s)

    async def _begin(self) -> None:
        with self.lock:
            known = self.alerts.all()
        self._route(known)
        self._keep(asyncio.ensure_future(self._upkeep()), is_flush=False)

    async def _drain(self) -> None:
        self._stopping = True
        self._caretaker.cancel()
        with self.lock:
            for group in self.groups.values():
                group.is_over = True
                group.wake.set()
        if self._flushing:
            await asyncio.wait(self._flushing, timeout=_DRAIN_S)

    async def _reload(self, config: DeliveryConfig, integrations: list[Integration]) -> None:
        with self.lock:
            for group in self.groups.values():
                group.is_over = True
                group.wake.set()
            self.groups = {}
            self.config, self._integrations = config, integrations
            self.inhibitor = Inhibitor(config.inhibit_rules)
            known = self.alerts.all()
        self._route(known)

    async def _upkeep(self) -> None:
        while not self._stopping:
            await asyncio.sleep(_UPKEEP_S)
            now_ns = self._clock.now_ns()
            try:
                with self.lock:
                    for part in (self.alerts, self.silences, self._log):
                        part.forget_old(now_ns)
            except SwarmscopeError as error:
                _log.warning("old alerts are kept for longer: %s", error)

    def _route(self, alerts: Sequence[Alert]) -> None:
        now_ns = self._clock.now_ns()
        with self.lock:
            for alert in alerts:
                for route in self.config.route.match(alert.labels):
                    self._put(route, alert, now_ns)

    def _put(self, route: Route, alert: Alert, now_ns: int) -> None:
        labels = route.group_labels(alert.labels)
        if route.options.groups_incidents and self.grouper is not None:
            labels = {INCIDENT: self.grouper.incident_of(alert)}
        group = Group(alert.tenant, route, labels, now_ns + route.options.group_wait_ms * _NS_PER_MS)
        known = self.groups.get((alert.tenant, group.key))
        if known is None:
            if alert.is_resolved(now_ns) and not self._was_told(group):
                return
            known = self.groups[alert.tenant, group.key] = group
            self._keep(asyncio.ensure_future(self._attend(group)))
        known.put(alert, now_ns)

    def _was_told(self, group: Group) -> bool:
        """Whether somebody may wait for the end of an alert of the group."""
        entries = (
            self._log.get(self._log_key(group, each)) for each in self.integrations_of(group.route.options.receiver)
        )
        return any(entry is not None and entry.firing for entry in entries)

    def _keep(self, task: asyncio.Task[None], *, is_flush: bool = True) -> None:
        if is_flush:
            self._flushing.add(task)
            task.add_done_callback(self._flushing.discard)
        else:
            self._caretaker = task

    async def _attend(self, group: Group) -> None:
        """Flush a group at its times, until it is empty."""
        interval_ns = group.route.options.group_interval_ms * _NS_PER_MS
        while not group.is_over:
            wait_s = (group.next_ns - self._clock.now_ns()) / _NS_PER_S
            if wait_s > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await group.wake.wait()
                group.wake.clear()
                continue
            group.next_ns = self._clock.now_ns() + interval_ns
            await self._flush(group)
            with self.lock:
                if not group.alerts:
                    group.is_over = True
                    if self.groups.get((group.tenant, group.key)) is group:
                        del self.groups[group.tenant, group.key]

    async def _flush(self, group: Group) -> None:
        now_ns = self._clock.now_ns()
        with self.lock:
            group.has_flushed = True
            snapshot = in_order(group.alerts.values())
            group.told_of = {alert.fingerprint for alert in snapshot}
            self.inhibitor.learn(self.alerts.all(), self.alerts.version)
            group.muted_by = self.muted_by(group.route, now_ns)
            # What has not ended now does not end while it is told of.
            told = [
                alert
                for alert in snapshot
                if not self.inhibitor.inhibited_by(alert, now_ns)
                and not self.silences.silenced_by(alert.labels, now_ns)
            ]
            integrations = self.integrations_of(group.route.options.receiver)
        is_done = True
        if told and not group.muted_by:
            done = await asyncio.gather(*(self._tell(group, each, told, now_ns) for each in integrations))
            is_done = all(done)
        with self.lock:
            for alert in snapshot:
                if is_done and alert.is_resolved(now_ns) and group.alerts.get(alert.fingerprint) is alert:
                    del group.alerts[alert.fingerprint]

    def _log_key(self, group: Group, integration: Integration) -> str:
        return f"{group.tenant}|{group.key}|{integration.name}"

    async def _tell(self, group: Group, integration: Integration, alerts: list[Alert], now_ns: int) -> bool:
        """Tell one integration, where there is a reason; whether nothing is left to be told."""
        firing = frozenset(alert.fingerprint for alert in alerts if not alert.is_resolved(now_ns))
        resolved = frozenset(alert.fingerprint for alert in alerts) - firing
        options, notifier = group.route.options, integration.notifier
        key = self._log_key(group, integration)
        with self.lock:
            entry = self._log.get(key)
            reason = reason_to_tell(
                entry, firing, resolved, now_ns, options.repeat_interval_ms, notifier.sends_resolved
            )
        if reason is None:
            return True
        entry = entry or LogEntry(frozenset(), frozenset(), 0)
        if notifier.sends_resolved or firing:
            shown = alerts if notifier.sends_resolved else [each for each in alerts if each.fingerprint in firing]
            notification = self._notification(group, shown, now_ns, reason, entry.unsure)
            timeout_s = max(options.group_interval_ms / 1000, _LEAST_FLUSH_S)
            note = await self._send(key, entry, integration, notification, timeout_s)
            if note is None:
                return False
            entry = replace(entry, note=note)
        try:
            with self.lock:
                self._log.put(key, LogEntry(firing, resolved, now_ns, entry.note))
        except SwarmscopeError as error:
            _log.error("it is not on disk that %s was told: %s", integration.name, error)
        return True

    async def _send(
        self, key: str, entry: LogEntry, integration: Integration, notification: Notification, timeout_s: float
    ) -> Mapping[str, str] | None:
        """The integration's note; None where it did not take it."""
        try:
            with self.lock:
                self._log.put(key, replace(entry, unsure=notification.id))
            note = await send(integration.notifier, notification, entry.note, timeout_s, self._settings.retries)
        except (NotifyFailedError, SwarmscopeError) as error:
            _log.error("%s was not told of %s: %s", integration.name, notification.group_key, error)
            self._on_told(Told(notification, integration.name, str(error), self._clock.now_ns()))
            return None
        self._on_told(Told(notification, integration.name, "", self._clock.now_ns()))
        return note

    def _notification(
        self, group: Group, alerts: Sequence[Alert], now_ns: int, reason: NotificationReason, unsure: str
    ) -> Notification:
        incident = group.labels.get(INCIDENT, "") if group.route.options.groups_incidents else ""
        described = self.grouper.describe_incident(incident) if incident and self.grouper is not None else None
        return Notification(
            # A notification that may have arrived before a restart is the same one again.
            id=unsure or str(uuid.uuid4()),
            receiver=group.route.options.receiver,
            group_key=group.key,
            group_labels=group.labels,
            route_labels=group.route.options.labels,
            alerts=tuple(alerts),
            now_ns=now_ns,
            reason=reason,
            external_url=self._settings.external_url,
            incident=described,
        )
