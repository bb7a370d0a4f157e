"""Delivery with receivers that fail: tried again, beside each other, and never twice over a restart."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from swarmscope.alerting.delivery import alert_store
from swarmscope.alerting.delivery.config_file import parse_config
from swarmscope.alerting.delivery.house import Delivery, DeliverySettings, Integration, Told
from swarmscope.alerting.delivery.sending import RetrySettings
from swarmscope.alerting.delivery.silences import Silence
from swarmscope.app.clock import SystemClock
from swarmscope.lang.matchers import parse_matchers
from swarmscope.model.alerts import Alert, Notification, NotificationReason, NotifyFailedError
from tests.alerting.kept_state import KeptState

S = 1_000_000_000
CONFIG = """
route:
  receiver: a
  group_by: [alertname]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
  routes:
  - receiver: b
    matchers: ['team = b']
receivers: [{name: a}, {name: b}]
"""


class Fake:
    """A notifier that does what it is told; each answer is an error, a pause in seconds, or None."""

    kind = "fake"
    sends_resolved = True

    def __init__(self, *answers: NotifyFailedError | float | None) -> None:
        self.answers = list(answers)
        self.tried: list[Notification] = []
        self.taken: list[Notification] = []
        self.notes: list[Mapping[str, str]] = []

    async def notify(self, notification: Notification, note: Mapping[str, str]) -> Mapping[str, str]:
        self.tried.append(notification)
        self.notes.append(note)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, NotifyFailedError):
            raise answer
        if answer is not None:
            await asyncio.sleep(answer)
        self.taken.append(notification)
        return {"message": str(len(self.taken))}


Open = Callable[..., Delivery]


@pytest.fixture
def open_delivery() -> Iterator[Open]:
    opened: list[Delivery] = []

    def open_(state: KeptState, *integrations: Integration, told: list[Told] | None = None) -> Delivery:
        retries = RetrySettings(first_pause_s=0.01, attempt_timeout_s=5.0)
        config = parse_config(CONFIG, "am.yml")
        settings = DeliverySettings("http://here", retries)
        delivery = Delivery(
            config, integrations, state, SystemClock(), settings, [].append if told is None else told.append
        )
        opened.append(delivery)
        delivery.start()
        return delivery

    yield open_
    for delivery in opened:
        delivery.stop()


def alert(name: str, *, over: bool = False, **labels: str) -> Alert:
    now_ns = time.time_ns()
    return Alert({"alertname": name, **labels}, {}, 1_000 * S, now_ns if over else now_ns + 3600 * S, now_ns)


def until(true: Callable[[], object]) -> None:
    end_s = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end_s
        time.sleep(0.01)


def test_a_failure_that_may_pass_is_tried_again(open_delivery: Open):
    told: list[Told] = []
    fake = Fake(NotifyFailedError("busy", retryable=True), NotifyFailedError("busy", retryable=True, retry_after_s=0.0))
    delivery = open_delivery(KeptState(), Integration("a", 0, fake), told=told)
    delivery.take_alerts([alert("x")])
    until(lambda: fake.taken)
    assert len(fake.tried) == 3
    assert len({notification.id for notification in fake.tried}) == 1
    until(lambda: told)
    assert [each.error for each in told] == [""]


def test_what_looks_permanent_is_given_up_and_tried_with_the_next_flush(open_delivery: Open):
    told: list[Told] = []
    fake = Fake(*[NotifyFailedError("no such channel", retryable=False)] * 3)
    delivery = open_delivery(KeptState(), Integration("a", 0, fake), told=told)
    delivery.take_alerts([alert("x")])
    until(lambda: told)
    assert [each.error for each in told] == ["no such channel"]
    assert len(fake.tried) == 3
    until(lambda: fake.taken)
    # It is still the first that anybody hears.
    assert fake.taken[0].reason == NotificationReason.FIRST


def test_one_that_hangs_delays_nobody(open_delivery: Open):
    slow, quick, other = Fake(3.0), Fake(), Fake()
    delivery = open_delivery(
        KeptState(), Integration("a", 0, slow), Integration("a", 1, quick), Integration("b", 0, other)
    )
    delivery.take_alerts([alert("x"), alert("y", team="b")])
    until(lambda: quick.taken and other.taken)
    assert slow.tried
    assert not slow.taken


def test_nothing_is_told_twice_over_a_restart_and_the_end_is(open_delivery: Open):
    state, fake = KeptState(), Fake()
    delivery = open_delivery(state, Integration("a", 0, fake))
    delivery.take_alerts([alert("x")])
    until(lambda: fake.taken)
    delivery.stop()
    again = Fake()
    delivery = open_delivery(state, Integration("a", 0, again))
    delivery.take_alerts([alert("x")])
    delivery.take_alerts([alert("y")])
    until(lambda: again.taken)
    assert [each.group_key for each in again.taken] == ['{}:{alertname="y"}']
    delivery.take_alerts([alert("x", over=True)])
    until(lambda: len(again.taken) == 2)
    assert again.taken[1].reason == NotificationReason.RESOLVED
    # What the integration noted with the first is there with the last.
    assert again.notes[-1] == {"message": "1"}


def test_what_was_begun_before_a_crash_is_the_same_notification_again(open_delivery: Open):
    state, hanging = KeptState(), Fake(60.0)
    delivery = open_delivery(state, Integration("a", 0, hanging))
    delivery.take_alerts([alert("x")])
    until(lambda: hanging.tried)
    # As it is on disk when the process dies now.
    left = KeptState({kind: dict(records) for kind, records in state.records.items()})
    again = Fake()
    open_delivery(left, Integration("a", 0, again))
    until(lambda: again.taken)
    assert again.taken[0].id == hanging.tried[0].id


def test_silences_hold_and_end(open_delivery: Open):
    fake = Fake()
    delivery = open_delivery(KeptState(), Integration("a", 0, fake))
    now_ns = time.time_ns()
    silence = delivery.change_silence(Silence(parse_matchers('alertname="x"'), now_ns, now_ns + 3600 * S))
    delivery.take_alerts([alert("x"), alert("y")])
    until(lambda: fake.taken)
    time.sleep(1.5)
    assert [each.alerts[0].name for each in fake.taken] == ["y"]
    delivery.expire_silence(silence)
    until(lambda: len(fake.taken) == 2)
    assert fake.taken[1].alerts[0].name == "x"


def test_another_configuration_takes_over_what_is_there(open_delivery: Open):
    fake = Fake()
    delivery = open_delivery(KeptState(), Integration("a", 0, fake))
    delivery.take_alerts([alert("x")])
    until(lambda: fake.taken)
    other = Fake()
    delivery.reload(parse_config(CONFIG.replace("receiver: a", "receiver: b"), "am.yml"), [Integration("b", 0, other)])
    until(lambda: other.taken)
    assert len(fake.taken) == 1


def test_a_flood_of_alerts_is_bounded(open_delivery: Open, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(alert_store, "MAX_ALERTS", 3)
    fake = Fake()
    delivery = open_delivery(KeptState(), Integration("a", 0, fake))
    delivery.take_alerts([alert(str(number)) for number in range(5)])
    assert sorted(each.name for each in delivery.alerts.all()) == ["0", "1", "2"]
    until(lambda: len(fake.taken) == 3)
    # What is known goes on.
    delivery.take_alerts([alert("2", over=True), alert("4")])
    until(lambda: fake.taken[-1].reason == NotificationReason.RESOLVED)
    assert "4" not in {each.name for each in delivery.alerts.all()}
