import pytest

from swarmscope.alerting.rules.history import AlertHistory
from swarmscope.alerting.rules.state_machine import ActiveAlert, Change
from swarmscope.api.alertmanager.parts import AlertStanding
from swarmscope.model.alerts import AlertPhase, fingerprint
from tests.api.alerts.served import NS, Served
from tests.api.rules_seen import AT_MS

DOWN = {"alertname": "Down", "severity": "critical", "team": "a"}


class Names:
    """A `SeriesIndex` that knows nothing yet."""

    seed = 7

    def resolve(self, tenant, keys):
        return keys.astype("int64") * 0 - 1


@pytest.fixture
def served():
    return Served()


def test_an_alert_of_a_rule_is_shown_once_with_what_delivery_does_with_it(served):
    served.send(**DOWN, job="x")
    served.send(alertname="Other", job="z")
    found = {(alert["name"], alert["state"]): alert for alert in served.alerts()}
    firing, other, pending = found["Down", "firing"], found["Other", "firing"], found["Down", "pending"]
    assert len(served.alerts()) == 3
    assert firing == {
        "fingerprint": fingerprint({**DOWN, "job": "x"}), "name": "Down", "severity": "critical",
        "labels": {**DOWN, "job": "x"}, "state": "firing", "annotations": {"summary": "x is down"},
        "active_at": "2023-11-14T22:11:50.123Z", "starts_at": "2023-11-14T22:13:20.123Z", "value": "0e+00",
        "source": {"kind": "rule", "file": "rules.yml", "group": "first", "rule": "Down", "runbook": ""},
        "receivers": ["team"], "silenced_by": [], "inhibited_by": [], "muted_by": [],
        "updated_at": "2023-11-14T22:13:20.123Z", "ends_at": "2023-11-14T22:14:20.123Z", "generator_url": "http://g",
    }  # fmt: skip
    assert (other["source"], other["severity"], other["value"]) == ({"kind": "sender"}, "", None)
    assert (pending["starts_at"], pending["receivers"], pending["value"]) == (None, [], "1.25e+00")


@pytest.mark.parametrize(("standing", "state"), [
    (AlertStanding("suppressed", silenced_by=["id"], inhibited_by=["x"]), "silenced"),
    (AlertStanding("suppressed", inhibited_by=["x"]), "inhibited"),
    (AlertStanding("suppressed", muted_by=["nights"]), "muted"),
    (AlertStanding("active"), "firing"),
    (AlertStanding("unprocessed"), "firing"),
])  # fmt: skip
def test_what_nobody_is_told_of_says_why(served, standing, state):
    served.send(alertname="Other")
    served.house.standings["Other"] = standing
    assert [alert["state"] for alert in served.alerts("filter=alertname=Other")] == [state]
    assert len(served.alerts(f"state={state}&filter=alertname=Other")) == 1


@pytest.mark.parametrize(("query", "jobs"), [
    ("state=pending", ["y"]), ("state=pending&state=firing", ["x", "y"]), ('filter=job="x"', ["x"]),
    ("filter=job=~x|z&filter=team=a", ["x"]), ("filter=team!=a", []), ("filter=nothing=", ["x", "y"]),
])  # fmt: skip
def test_filters(served, query, jobs):
    assert sorted(alert["labels"]["job"] for alert in served.alerts(query)) == jobs


@pytest.mark.parametrize("path", ["/api/alerts?filter=x", "/api/alerts?state=odd", "/api/alerts/history?limit=0",
                                  "/api/alerts/history?event=x", "/api/alerts/history?start=5&end=4"])  # fmt: skip
def test_what_is_asked_wrongly_is_refused(served, path):
    answer = served.client.get(path)
    assert (answer.status_code, answer.json()["error"]["type"]) == (400, "bad_request")


def test_rules_of_another_tenant_are_not_shown(served):
    headers = {"x-scope-orgid": "other"}
    assert served.client.get("/api/alerts", headers=headers).json() == {"alerts": []}
    assert served.client.get("/api/rules", headers=headers).json() == {"groups": [], "problems": []}


def test_history(served):
    history = AlertHistory(served.lines, Names(), "default")
    for job, before, after, at_s in (("x", AlertPhase.INACTIVE, AlertPhase.PENDING, 30),
                                     ("x", AlertPhase.PENDING, AlertPhase.FIRING, 20),
                                     ("y", AlertPhase.FIRING, AlertPhase.INACTIVE, 10)):  # fmt: skip
        alert = ActiveAlert({**DOWN, "job": job}, {"summary": f"{job} is down"}, 0.5, AT_MS)
        history.write("rules.yml;first", [Change(alert, before, after, AT_MS - at_s * 1000)])
    served.lines.add_lines({"service_name": "swarmscope"}, [(AT_MS * 1_000_000 - NS, "{}")], {"event_name": "else"})

    def events(query=""):
        found = served.client.get(f"/api/alerts/history?{query}").json()["events"]
        return [(event["state"], event["labels"]["job"], event["time"], event["summary"]) for event in found]

    newest = ("resolved", "y", "2023-11-14T22:13:10.123Z", "y is down")
    firing, pending = (
        (state, "x", f"2023-11-14T22:1{at}.123Z", "x is down")
        for state, at in (("firing", "3:00"), ("pending", "2:50"))
    )
    assert events() == [newest, firing, pending]
    assert events("limit=1") == [newest]
    assert events("state=firing&limit=1") == [firing]
    assert events("filter=job=x") == [firing, pending]
    assert events("since=15s") == [newest]
    assert events("event=alert.notification") == []


def test_rules_say_what_only_our_files_can_say(served):
    answer = served.client.get("/api/rules").json()
    assert answer["problems"] == [{"file": "bad.yml", "line": 3, "column": 7, "message": "field expr is missing"}]
    lines, both = answer["groups"][1]["rules"]
    assert (lines["kind"], lines["cooldown"], lines["runbook"], lines["line"], lines["composite"]) == (
        "logql", 600, "lines", 18, None,
    )  # fmt: skip
    assert both["composite"] == {
        "operator": "and", "alerts": ['{alertname="Down"}', '{alertname="Lines"}'], "at_least": 0, "within": 300,
        "on": ["job"],
    }  # fmt: skip


def test_receivers_and_their_test(served):
    assert served.client.get("/api/receivers").json()["receivers"] == [
        {
            "name": "team",
            "integrations": [{"integration": "webhook", "index": 0}, {"integration": "slack", "index": 0}],
        },
        {"name": "nobody", "integrations": []},
    ]
    answer = served.client.post("/api/receivers/team/test", json={"labels": {"a": "b"}})
    assert answer.json() == {"receiver": "team", "integrations": [
        {"integration": "webhook", "index": 0, "error": "", "took_s": 0.012},
        {"integration": "slack", "index": 0, "error": "no such channel", "took_s": 1.0},
    ]}  # fmt: skip
    assert served.tester.told == [("team", {"a": "b"})]
    answer = served.client.post("/api/receivers/what/test", json={})
    assert answer.status_code == 404
    assert answer.json()["error"]["message"] == "there is no receiver 'what'; there are: team, nobody"
