import math

import pytest
from starlette.testclient import TestClient

from swarmscope.api.prometheus.rules import spell_value
from tests.api.rules_seen import SeenRules
from tests.api.served import MemoryReader, serve

AT = "2023-11-14T22:13:20.123Z"


@pytest.fixture(scope="module")
def ask():
    with TestClient(serve(MemoryReader(), rules=SeenRules()).app) as client:
        yield lambda path: client.get(f"/prometheus/api/v1/{path}").json()


def _names(answer):
    return [(group["name"], [rule["name"] for rule in group["rules"]]) for group in answer["data"]["groups"]]


def test_every_field(ask):
    first, second = ask("rules")["data"]["groups"]
    assert {key: value for key, value in first.items() if key != "rules"} == {
        "name": "first", "file": "rules.yml", "interval": 30, "limit": 5, "evaluationTime": 0.25, "lastEvaluation": AT,
    }  # fmt: skip
    assert second["interval"] == 15
    labels = {"alertname": "Down", "severity": "critical", "team": "a"}
    assert first["rules"] == [
        {"name": "job:up:sum", "query": "sum by (job) (up)", "labels": {"team": "a"}, "health": "ok",
         "evaluationTime": 0.125, "lastEvaluation": AT, "type": "recording"},
        {"state": "firing", "name": "Down", "query": "up == 0", "duration": 90, "keepFiringFor": 60,
         "labels": {"severity": "critical", "team": "a"}, "annotations": {"summary": "{{ $labels.job }} is down"},
         "alerts": [
             {"labels": {**labels, "job": "x"}, "annotations": {"summary": "x is down"}, "state": "firing",
              "activeAt": "2023-11-14T22:11:50.123Z", "value": "0e+00"},
             {"labels": {**labels, "job": "y"}, "annotations": {"summary": "x is down"}, "state": "pending",
              "activeAt": AT, "value": "1.25e+00"}],
         "health": "ok", "evaluationTime": 0.125, "lastEvaluation": AT, "type": "alerting"},
    ]  # fmt: skip
    lines, both = second["rules"]
    assert (lines["query"], lines["health"], lines["lastError"], lines["lastEvaluation"]) == (
        'count_over_time({app="x"}[1m]) > 2', "err", "too many", "0001-01-01T00:00:00Z",
    )  # fmt: skip
    assert both["query"] == '{alertname="Down"} and {alertname="Lines"}'


@pytest.mark.parametrize(("query", "wanted"), [
    ("type=record", [("first", ["job:up:sum"])]),
    ("type=ALERT", [("first", ["Down"]), ("second", ["Lines", "Both"])]),
    ("rule_name[]=Down&rule_name[]=Lines", [("first", ["Down"]), ("second", ["Lines"])]),
    ("rule_group[]=second", [("second", ["Lines", "Both"])]),
    ("rule_group[]=second&rule_name[]=Down", []),
    ("file[]=rules.yml&type=record", [("first", ["job:up:sum"])]),
    ("file[]=other.yml", []),
    ('match[]={team="a"}', [("first", ["job:up:sum", "Down"])]),
    ('match[]={team="a",severity=~"c.*"}&match[]={team="b"}', [("first", ["Down"]), ("second", ["Lines"])]),
])  # fmt: skip
def test_filters(ask, query, wanted):
    assert _names(ask(f"rules?{query}")) == wanted


def test_alerts_are_left_out_where_nobody_wants_them(ask):
    assert ask("rules?exclude_alerts=true&rule_name[]=Down")["data"]["groups"][0]["rules"][0]["alerts"] == []
    assert len(ask("rules?exclude_alerts=f&rule_name[]=Down")["data"]["groups"][0]["rules"][0]["alerts"]) == 2


def test_pages(ask):
    first = ask("rules?group_limit=1")
    assert _names(first) == [("first", ["job:up:sum", "Down"])]
    token = first["data"]["groupNextToken"]
    assert len(token) == 40
    last = ask(f"rules?group_limit=1&group_next_token={token}")
    assert _names(last) == [("second", ["Lines", "Both"])]
    assert "groupNextToken" not in last["data"]
    assert "groupNextToken" not in ask("rules?group_limit=2")["data"]


@pytest.mark.parametrize(("query", "words"), [
    ("type=foo", "not supported value"),
    ("exclude_alerts=maybe", "error converting exclude_alerts"),
    ("match[]={", 'invalid parameter "match[]"'),
    ("group_limit=x", "needs to be a valid number"),
    ("group_limit=0", "needs to be greater than 0"),
    ("group_next_token=abc", "group_limit needs to be present"),
    ("group_limit=1&group_next_token=abc", "invalid group_next_token 'abc'"),
])  # fmt: skip
def test_what_is_asked_wrongly_is_refused(ask, query, words):
    answer = ask(f"rules?{query}")
    assert (answer["status"], answer["errorType"]) == ("error", "bad_data")
    assert words in answer["error"]


def test_alerts(ask):
    assert [(alert["labels"]["job"], alert["state"]) for alert in ask("alerts")["data"]["alerts"]] == [
        ("x", "firing"), ("y", "pending"),
    ]  # fmt: skip


@pytest.mark.parametrize(("value", "text"), [
    (0.0, "0e+00"), (1.0, "1e+00"), (-0.1, "-1e-01"), (123456.0, "1.23456e+05"), (1e-7, "1e-07"), (1e300, "1e+300"),
    (0.30000000000000004, "3.0000000000000004e-01"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (math.nan, "NaN"),
])  # fmt: skip
def test_values_are_written_as_go_does(value, text):
    assert spell_value(value) == text
