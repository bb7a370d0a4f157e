"""Routes with `group_incidents: true` through the real delivery, on the real clock: one trouble, one notification."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from swarmscope.alerting.delivery.config_file import parse_config
from swarmscope.alerting.delivery.house import Delivery, DeliverySettings, Integration
from swarmscope.alerting.incidents.incidents import Incidents
from swarmscope.alerting.incidents.settings import IncidentSettings
from swarmscope.alerting.runbooks.ports import SilenceRequest
from swarmscope.app.stages.incidents import silencer
from swarmscope.lang.matchers import parse_matchers
from swarmscope.model.alerts import Alert, Notification
from tests.alerting.kept_state import KeptState
from tests.analysis.rootcause.plain_graphs import graph

NS = 1_000_000_000
CONFIG = """
route:
  receiver: team
  group_incidents: true
  group_wait: 300ms
  group_interval: 500ms
  repeat_interval: 1h
receivers:
  - name: team
"""


class WallClock:
    def now_ns(self) -> int:
        return time.time_ns()


class Noting:
    kind, sends_resolved = "webhook", True

    def __init__(self) -> None:
        self.told: list[Notification] = []

    async def notify(self, notification: Notification, note: Mapping[str, str]) -> Mapping[str, str]:
        self.told.append(notification)
        return {}


class House:
    """One process; the next one goes on with the same state."""

    def __init__(self, state: KeptState, notifier: Noting) -> None:
        clock = WallClock()
        self.incidents = Incidents(state, clock, IncidentSettings(quiet_ns=1))
        self.incidents.see_topology("default", graph("r1 t:search", "r2 t:search", "p r1", "p r2", "q t:other"))
        config = parse_config(CONFIG, "alertmanager.yml")
        integrations = [Integration("team", 0, notifier)]
        self.delivery = Delivery(config, integrations, state, clock, DeliverySettings())
        self.delivery.grouper = self.incidents
        self.delivery.start()

    def take(self, *alerts: Alert) -> None:
        for sink in (self.incidents, self.delivery):
            sink.take_alerts(alerts)


def alert(name: str, is_over: bool = False, start_ns: int = 0, **labels: str) -> Alert:
    now_ns = time.time_ns()
    end_ns = now_ns if is_over else now_ns + 300 * NS
    return Alert({"alertname": name, **labels}, {}, start_ns or now_ns, end_ns, now_ns)


def wait_for(holds: Callable[[], bool], seconds: float = 5.0) -> None:
    until_s = time.monotonic() + seconds
    while not holds() and time.monotonic() < until_s:
        time.sleep(0.02)
    assert holds()


def test_one_notification_for_one_incident_also_over_a_restart() -> None:
    state, notifier = KeptState(), Noting()
    house = House(state, notifier)
    start_ns = time.time_ns()
    storm = [
        alert("AgentErrors", agent_name="r1"), alert("AgentErrors", agent_name="r2"),
        alert("AgentErrors", agent_name="p"), alert("ToolErrors", tool="search", signal="cause", severity="error"),
    ]  # fmt: skip
    try:
        for each in storm:
            house.take(each)
        wait_for(lambda: bool(notifier.told))
        house.take(alert("Memory", agent_name="q", signal="cause"))
        wait_for(lambda: len(notifier.told) == 2)
    finally:
        house.delivery.stop()
    first, other = notifier.told
    assert len(first.alerts) == 4
    assert first.incident is not None
    assert first.incident["root_causes"][0]["name"] == "search"  # type: ignore[index]
    assert str(first.incident["summary"]).startswith("Likely cause: tool search (")
    assert other.incident is not None
    assert other.incident["root_causes"][0]["name"] == "q"  # type: ignore[index]
    house = House(state, notifier)
    try:
        # What goes on is sent anew by its senders, and nobody is told again.
        house.take(*(alert(each.labels["alertname"], False, each.starts_ns, **_rest(each)) for each in storm))
        time.sleep(0.9)
        assert len(notifier.told) == 2
        house.take(*(alert(each.labels["alertname"], True, start_ns, **_rest(each)) for each in storm))
        wait_for(lambda: len(notifier.told) == 3)
        assert notifier.told[2].status == "resolved"
        assert notifier.told[2].group_key == first.group_key
        house.incidents.tick()
        assert [str(each.state) for each in house.incidents.incidents("default")] == ["open", "resolved"]
    finally:
        house.delivery.stop()


def _rest(of: Alert) -> dict[str, str]:
    return {name: value for name, value in of.labels.items() if name != "alertname"}


def test_runbooks_silence_through_delivery() -> None:
    house = House(KeptState(), Noting())
    try:
        now_ns = time.time_ns()
        request = SilenceRequest("default", parse_matchers('tool="x"'), now_ns, now_ns + NS, "runbook", "hush")
        id_ = silencer(house.delivery.change_silence)(request)
        assert house.delivery.silences.get(id_).comment == "hush"
    finally:
        house.delivery.stop()
