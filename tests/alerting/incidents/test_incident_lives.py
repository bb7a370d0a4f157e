"""Whatever happens in whatever order: an alert is in one incident and told in one place; restarts change nothing."""

from __future__ import annotations

import contextlib
import json

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from swarmscope.alerting.incidents.incident import IncidentAlert, IncidentState, to_record
from swarmscope.alerting.incidents.incidents import Incidents, UnknownIncidentError
from swarmscope.alerting.incidents.settings import IncidentSettings
from swarmscope.analysis.rootcause.similarity import LinkSettings
from swarmscope.model.alerts import Alert, fingerprint
from tests.alerting.kept_state import NS, KeptState, MovedClock
from tests.analysis.rootcause.plain_graphs import graph

AGENTS, NAMES = st.sampled_from(["a", "b", "c", "a,b"]), st.sampled_from(["X", "Y"])
SIGNALS = st.sampled_from(["cause", "symptom", ""])
SETTINGS = IncidentSettings(max_kept=6, link=LinkSettings(merge_threshold=0.6))


class Lives(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.state, self.clock = KeptState(), MovedClock()
        self.lasting: dict[str, Alert] = {}
        self.places: dict[str, str] = {}
        self.incidents = Incidents(self.state, self.clock, SETTINGS)
        self.incidents.see_topology("default", graph("a b", "b c 3", "c t:x"))

    @rule(name=NAMES, agent=AGENTS, signal=SIGNALS)
    def fire(self, name: str, agent: str, signal: str) -> None:
        labels = {"alertname": name, "agent_name": agent, **({"signal": signal} if signal else {})}
        start_ns = self.clock.ns
        known = self.lasting.get(fingerprint(labels))
        if known is not None:
            start_ns = known.starts_ns
        alert = Alert(labels, {}, start_ns, self.clock.ns + 86400 * NS, self.clock.ns)
        self.incidents.take_alerts([alert])
        self.lasting[alert.fingerprint] = alert

    @rule(data=st.data())
    def end(self, data: st.DataObject) -> None:
        if self.lasting:
            key = data.draw(st.sampled_from(sorted(self.lasting)))
            alert = self.lasting.pop(key)
            self.places.pop(key, None)
            now_ns = self.clock.ns
            self.incidents.take_alerts([Alert(alert.labels, {}, alert.starts_ns, now_ns, now_ns)])

    @rule(seconds=st.sampled_from([1, 30, 61, 125, 700]))
    def wait(self, seconds: int) -> None:
        self.clock.move(seconds)
        self.incidents.tick()

    @rule(data=st.data(), what=st.sampled_from(["acknowledge", "resolve", "merge", "split", "comment"]))
    def act(self, data: st.DataObject, what: str) -> None:
        found = self.incidents.incidents("default")
        if not found:
            return
        one = data.draw(st.sampled_from(found))
        with contextlib.suppress(UnknownIncidentError):
            if what == "merge":
                self.incidents.merge("default", one.id, data.draw(st.sampled_from(found)).id, "ann")
            elif what == "split":
                self.incidents.split("default", one.id, list(one.alerts)[:1], "ann")
            else:
                getattr(self.incidents, what)("default", one.id, "ann", "x")

    @rule()
    def restart(self) -> None:
        before = {each.id: (to_record(each), each.alerts) for each in self.incidents.incidents("default")}
        self.incidents = Incidents(self.state, self.clock, SETTINGS)
        self.incidents.see_topology("default", graph("a b", "b c 3", "c t:x"))
        after = {each.id: (to_record(each), each.alerts) for each in self.incidents.incidents("default")}
        assert after.keys() == before.keys()
        for id_, (record, alerts) in before.items():
            assert json.loads(after[id_][0]) == json.loads(record)
            # When an alert that lasts would be over for want of news is not written each time it comes again.
            assert _told(after[id_][1]) == _told(alerts)

    @invariant()
    def an_alert_is_in_one_incident(self) -> None:
        found = self.incidents.incidents("default")
        ids = [id_ for each in found if each.state is not IncidentState.RESOLVED for id_ in each.alerts]
        assert len(ids) == len(set(ids))
        for key in self.lasting:
            home = self.incidents.incident("default", self.incidents.place_of("default", key))
            assert home is not None
            assert key in home.alerts

    @invariant()
    def delivery_is_told_one_place_for_as_long_as_an_alert_lasts(self) -> None:
        for key, alert in self.lasting.items():
            place = self.incidents.incident_of(alert)
            assert self.places.setdefault(key, place) == place
            assert self.incidents.describe_incident(place) is not None


def _told(alerts: dict[str, IncidentAlert]) -> dict[str, tuple[int, int, str]]:
    return {key: (each.starts_ns, each.over_ns, each.place) for key, each in alerts.items()}


Lives.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestLives = Lives.TestCase
