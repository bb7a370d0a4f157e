from __future__ import annotations

import time
from dataclasses import replace

import pytest

from swarmscope.alerting.incidents.grouping_protocol import IncidentGrouper
from swarmscope.alerting.incidents.incident import Incident, IncidentState, from_record, to_alert_record, to_record
from swarmscope.alerting.incidents.incidents import Incidents, UnknownIncidentError
from swarmscope.alerting.incidents.settings import IncidentSettings
from swarmscope.analysis.rootcause.similarity import LinkSettings
from swarmscope.analysis.rootcause.topology import Topology
from swarmscope.model.alerts import Alert
from tests.alerting.kept_state import NS, KeptState, MovedClock
from tests.analysis.rootcause.plain_graphs import graph

QUIET_S, REOPEN_S = 120, 600


class Desk:
    """Incidents with a clock and a state of their own; alerts last until they are said to be over."""

    def __init__(self, settings: IncidentSettings | None = None) -> None:
        self.state, self.clock, self.settings = KeptState(), MovedClock(), settings
        self.starts_ns: dict[tuple[str, str], int] = {}
        self.topology: Topology | None = None
        self.again()

    def again(self) -> None:
        self.incidents = Incidents(self.state, self.clock, self.settings, external_url="http://here/")
        if self.topology is not None:
            self.incidents.see_topology("default", self.topology)

    def see(self, *edges: str) -> None:
        self.topology = graph(*edges)
        self.incidents.see_topology("default", self.topology)

    def alert(self, name: str, agent: str, is_over: bool = False, **labels: str) -> Alert:
        now_ns = self.clock.ns
        start_ns = now_ns if is_over else self.starts_ns.setdefault((name, agent), now_ns)
        if is_over:
            start_ns = self.starts_ns.pop((name, agent), now_ns)
        said = {"alertname": name, "agent_name": agent, **labels}
        return Alert(said, {}, start_ns, now_ns if is_over else now_ns + 86400 * NS, now_ns)

    def fire(self, name: str, agent: str, **labels: str) -> Incident:
        alert = self.alert(name, agent, **labels)
        self.incidents.take_alerts([alert])
        found = self.incidents.incident("default", self.incidents.place_of("default", alert.fingerprint))
        assert found is not None
        return found

    def end(self, name: str, agent: str, **labels: str) -> None:
        self.incidents.take_alerts([self.alert(name, agent, is_over=True, **labels)])

    def wait(self, seconds: float) -> None:
        self.clock.move(seconds)
        self.incidents.tick()

    def states(self) -> list[str]:
        return [str(each.state) for each in self.incidents.incidents("default")]


@pytest.fixture
def desk() -> Desk:
    return Desk()


def test_it_is_what_delivery_asks(desk: Desk) -> None:
    grouper: IncidentGrouper = desk.incidents
    assert grouper.describe_incident("none") is None


def test_one_incident_from_beginning_to_end(desk: Desk) -> None:
    desk.see("p r")
    first = desk.fire("Errors", "r", severity="error")
    desk.clock.move(10)
    assert desk.fire("Errors", "p", severity="warning") is first
    assert (first.state, first.severity, first.title) == (IncidentState.OPEN, "error", "agent r: Errors")
    told = desk.incidents.describe_incident(first.id)
    assert told is not None
    assert told["url"] == f"http://here/api/incidents/{first.id}"
    assert str(told["summary"]).startswith("Likely cause: agent r (")
    assert "Errors of agent r came first; 1 others with alerts depend on it (p). May strike p." in str(told["summary"])
    desk.end("Errors", "r", severity="error")
    desk.wait(QUIET_S + 1)
    assert first.state is IncidentState.OPEN
    desk.end("Errors", "p", severity="warning")
    desk.wait(QUIET_S - 1)
    assert first.state is IncidentState.OPEN
    desk.wait(1)
    assert (first.state, first.resolved_by) == (IncidentState.RESOLVED, "")
    assert [event.kind for event in first.events] == ["opened", "resolved"]


def test_what_comes_back_soon_reopens(desk: Desk) -> None:
    first = desk.fire("Errors", "a")
    desk.end("Errors", "a")
    desk.wait(QUIET_S)
    desk.wait(QUIET_S)
    assert first.state is IncidentState.RESOLVED
    assert desk.fire("Errors", "a") is first
    assert (first.state, first.events[-1].kind) == (IncidentState.OPEN, "reopened")
    desk.end("Errors", "a")
    desk.wait(QUIET_S)
    desk.wait(REOPEN_S + 1)
    assert desk.fire("Errors", "a") is not first


def test_a_sender_that_falls_silent(desk: Desk) -> None:
    incident = desk.fire("Errors", "a")
    desk.wait(86401)
    assert incident.alerts[next(iter(incident.alerts))].over_ns > 0
    desk.wait(QUIET_S)
    assert incident.state is IncidentState.RESOLVED


def test_everything_outlives_a_restart(desk: Desk) -> None:
    desk.see("p r")
    first = desk.fire("Errors", "r")
    desk.incidents.acknowledge("default", first.id, "ann", "looking")
    desk.again()
    kept = desk.incidents.incident("default", first.id)
    assert kept is not None
    assert (to_record(kept), kept.alerts) == (to_record(first), first.alerts)
    assert kept.causes[0].node.name == "r"
    assert desk.fire("Errors", "r").id == first.id
    desk.clock.move(5)
    assert desk.fire("Errors", "p").id == first.id
    assert desk.states() == ["acknowledged"]


def test_seeing_an_alert_again_writes_nothing(desk: Desk) -> None:
    desk.fire("Errors", "a")
    writes = desk.state.writes
    for _ in range(5):
        desk.wait(60)
        desk.fire("Errors", "a")
    assert desk.state.writes == writes


def test_resolved_by_a_person_stays_resolved(desk: Desk) -> None:
    first = desk.fire("Errors", "a")
    desk.incidents.resolve("default", first.id, "ann")
    desk.wait(60)
    assert desk.fire("Errors", "a") is first  # it still lasts, and is looked after
    assert first.state is IncidentState.RESOLVED
    desk.end("Errors", "a")
    desk.wait(5)
    assert desk.fire("Errors", "a") is not first
    with pytest.raises(UnknownIncidentError, match="is resolved"):
        desk.incidents.acknowledge("default", first.id, "bob")


def test_joined_incidents_are_told_as_the_older_one(desk: Desk) -> None:
    desk.settings = IncidentSettings()
    first = desk.fire("A", "a")
    desk.clock.move(1)
    second = desk.fire("B", "b")
    assert first is not second
    alert = desk.alert("B", "b")
    place = desk.incidents.incident_of(alert)
    merged = desk.incidents.merge("default", second.id, first.id, "ann")
    assert (merged.id, sorted(each.labels["alertname"] for each in merged.alerts.values())) == (first.id, ["A", "B"])
    # Who was told under the younger one's group goes on to be told there.
    assert desk.incidents.incident_of(alert) == place == second.id
    told = desk.incidents.describe_incident(second.id)
    assert told is not None
    assert told["id"] == first.id
    assert [each.id for each in desk.incidents.incidents("default")] == [first.id]
    desk.again()
    assert desk.incidents.incident("default", second.id).id == first.id  # type: ignore[union-attr]
    assert desk.incidents.incident_of(alert) == second.id
    assert desk.fire("B", "b").id == first.id


def test_an_alert_that_is_like_both_joins_two(desk: Desk) -> None:
    older = desk.fire("A", "a")
    desk.clock.move(1)
    younger = desk.fire("B", "b")
    assert older is not younger
    bridge = Alert({"alertname": "A", "agent_name": "a,b"}, {}, desk.clock.ns, desk.clock.ns + NS, 1)
    desk.settings = IncidentSettings(link=LinkSettings(merge_threshold=0.7))
    desk.again()
    # (0.35 e^(-1/60) + 0.25 + 0.4) to the one, (0.35 + 0.4) to the other: both over 0.7.
    desk.incidents.take_alerts([bridge])
    older, younger = (desk.incidents._incidents[each.id] for each in (older, younger))
    assert younger.merged_into == older.id
    assert len(older.alerts) == 3


def test_what_nothing_links_any_more_becomes_two(desk: Desk) -> None:
    desk.settings = IncidentSettings()
    first = desk.fire("A", "a")
    desk.fire("A", "a,b", x="1")
    assert desk.fire("B", "b") is first
    desk.end("A", "a,b", x="1")
    desk.wait(59)
    assert len(desk.states()) == 1
    desk.wait(2)
    newer, older = sorted(desk.incidents.incidents("default"), key=lambda each: -each.opened_ns)
    assert (older.id, newer.split_from) == (first.id, first.id)
    assert [alert.labels["alertname"] for alert in newer.alerts.values()] == ["B"]
    assert desk.fire("B", "b") is newer
    assert desk.incidents.incident_of(desk.alert("B", "b")) == first.id  # nobody is told again
    desk.again()
    assert desk.incidents.incident_of(desk.alert("B", "b")) == first.id
    assert desk.fire("B", "b").id == newer.id


def test_acknowledged_ones_are_not_taken_apart(desk: Desk) -> None:
    first = desk.fire("A", "a")
    desk.fire("A", "a,b", x="1")
    desk.fire("B", "b")
    desk.incidents.acknowledge("default", first.id, "ann")
    desk.end("A", "a,b", x="1")
    desk.wait(61)
    assert len(desk.states()) == 1


def test_tenants_have_their_own(desk: Desk) -> None:
    mine = desk.fire("A", "a")
    other = replace(desk.alert("A", "a"), tenant="other")
    desk.incidents.take_alerts([other])
    [theirs] = desk.incidents.incidents("other")
    assert theirs.id != mine.id
    assert desk.incidents.incident("other", mine.id) is None
    with pytest.raises(UnknownIncidentError):
        desk.incidents.comment("other", mine.id, "x", "y")


def test_a_store_that_is_down_is_written_to_later(desk: Desk) -> None:
    desk.state.is_down = True
    first = desk.fire("A", "a")
    assert not desk.state.records.get("incident")
    desk.state.is_down = False
    desk.fire("Z", "z")
    assert first.id in desk.state.records["incident"]


def test_records_that_cannot_be_read_are_left_out(desk: Desk) -> None:
    first = desk.fire("A", "a")
    desk.state.records["incident"] |= {"x": b"{", "y": b'{"id": "y"}'}
    desk.again()
    assert [each.id for each in desk.incidents.incidents("default")] == [first.id]


def test_records_give_the_same_back(desk: Desk) -> None:
    desk.see("p r")
    first = desk.fire("Errors", "r")
    desk.incidents.comment("default", first.id, "ann", "hm ä")
    records = [to_alert_record(alert) for alert in first.alerts.values()]
    again = from_record(to_record(first), records)
    assert (to_record(again), again.alerts) == (to_record(first), first.alerts)


def test_old_ones_are_forgotten() -> None:
    desk = Desk(IncidentSettings(max_kept=3, keep_ns=1000 * NS))
    for at in range(5):
        desk.fire(f"A{at}", f"a{at}")
        desk.end(f"A{at}", f"a{at}")
        desk.wait(QUIET_S)
    desk.wait(1)
    assert len(desk.incidents.incidents("default")) == 3
    assert len(desk.state.records["incident"]) == len(desk.state.records["incident_alert"]) == 3
    desk.wait(QUIET_S)
    desk.wait(2000)
    assert desk.states() == []
    assert desk.state.records == {"incident": {}, "incident_alert": {}}


def test_a_storm(desk: Desk) -> None:
    desk.settings = IncidentSettings(max_alerts=500)
    desk.again()
    alerts = [desk.alert("Errors", f"a{at}") for at in range(3000)]
    began_s = time.process_time()
    desk.incidents.take_alerts(alerts)
    desk.incidents.tick()
    assert time.process_time() - began_s < 8
    [incident] = desk.incidents.incidents("default")
    assert (len(incident.alerts), incident.dropped_alerts) == (500, 2500)
    desk.incidents.take_alerts(alerts)
    assert incident.dropped_alerts == 2500


def test_a_storm_of_single_alerts(desk: Desk) -> None:
    desk.see(*(f"a{at} t:x{at % 40}" for at in range(2000)))
    began_s = time.process_time()
    for at in range(1000):
        desk.incidents.take_alerts([desk.alert("Errors", f"a{at}")])
    assert time.process_time() - began_s < 8


def test_it_never_raises(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarmscope.alerting.incidents.incidents.rank_causes", lambda *_: 1 / 0)
    alert = desk.alert("A", "a")
    desk.incidents.take_alerts([alert])
    place = desk.incidents.incident_of(alert)
    told = desk.incidents.describe_incident(place)
    assert told is not None
    assert (told["title"], told["root_causes"]) == ("A", [])


def test_alerts_that_were_over_when_they_came(desk: Desk) -> None:
    alert = desk.alert("A", "a", is_over=True)
    assert desk.incidents.incident_of(alert) == alert.fingerprint
    assert desk.states() == []
