import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmscope.api.alertmanager.bodies import to_alerts, to_silence
from swarmscope.api.alertmanager.moments import MAX_NS, parse_moment, spell_moment
from swarmscope.api.alertmanager.refusals import Refusal
from tests.api.alertmanager.served import served, small_house
from tests.portion import portion

NS = 1_000_000_000
KEYS = st.sampled_from(["labels", "annotations", "startsAt", "endsAt", "generatorURL", "matchers", "name", "value",
                        "isRegex", "isEqual", "createdBy", "comment", "id", "a", ""])  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5) | st.sampled_from(
    ["2040-01-01T00:00:00Z", "2041-01-01T00:00:00Z", "a", "("]
)  # fmt: skip
JSON_VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=6))


def _refusal(read, body):
    try:
        read(body)
    except Refusal as refusal:
        return refusal
    return None


@given(JSON_VALUES)
@settings(max_examples=portion(300, 100), deadline=None)
def test_any_json_is_read_or_refused_by_name(body):
    for refusal in (_refusal(to_alerts, body), _refusal(to_silence, body)):
        assert refusal is None or (refusal.status in (400, 422) and refusal.payload["message"])


@given(body=st.binary(max_size=60) | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=portion(100, 33), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_breaks_the_server(body):
    client = served(small_house())
    for path in ("alerts", "silences"):
        answer = client.post(f"/alertmanager/api/v2/{path}", content=body, headers={"content-type": "application/json"})
        assert answer.status_code in (200, 400, 404, 422)


def test_a_body_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr("swarmscope.api.alertmanager.bodies.MAX_BODY_BYTES", 10)
    answer = served(small_house()).post(
        "/alertmanager/api/v2/alerts", content=b"[" + b" " * 20 + b"]", headers={"content-type": "application/json"}
    )
    assert (answer.status_code, answer.json()["code"]) == (413, 413)


@pytest.mark.parametrize(("text", "seconds"), [
    ("1970-01-01T00:00:01Z", 1), ("1970-01-01T00:00:01.25Z", 1.25), ("1970-01-01T02:00:00+02:00", 0),
    ("1969-12-31 23:59:59", -1), ("1970-01-01T00:01Z", 60), ("1970-01-01t00:00:00-01:30", 5400),
    ("2000-02-29T00:00:00Z", 951_782_400), ("1970-01-01T00:00:00.123456789999Z", 0.123456789),
])  # fmt: skip
def test_times(text, seconds):
    assert parse_moment(text) == round(seconds * NS)


@pytest.mark.parametrize(("text", "time_ns"), [
    ("", None), ("0001-01-01T00:00:00Z", None), ("9999-12-31T23:59:59Z", MAX_NS), ("0000-01-01T00:00:00Z", -MAX_NS),
])  # fmt: skip
def test_times_at_the_edges(text, time_ns):
    assert parse_moment(text) == time_ns


@pytest.mark.parametrize("text", ["x", "2020-02-30T00:00:00Z", "2020-01-01", "2020-01-01T24:00:00Z", "1600000000"])
def test_what_is_no_time_is_refused(text):
    with pytest.raises(ValueError, match="parsing time"):
        parse_moment(text)


@given(st.integers(-MAX_NS + NS, MAX_NS))
def test_times_are_written_to_the_millisecond(time_ns):
    assert parse_moment(spell_moment(time_ns)) == time_ns // 1_000_000 * 1_000_000


def test_reload_and_pages():
    house = small_house()
    client = served(house)
    assert client.post("/alertmanager/-/reload").status_code == 200
    assert client.get("/alertmanager/-/reload").status_code == 405
    house.broken = "am.yml:3:5: no such receiver"
    answer = client.post("/alertmanager/-/reload")
    assert (answer.status_code, answer.text) == (500, "failed to reload config: am.yml:3:5: no such receiver\n")
    assert client.get("/alertmanager/-/ready").text == "OK"


def test_muted_groups_are_left_out_on_demand_and_their_alerts_are_suppressed():
    house = small_house()
    client = served(house)
    body = [{"labels": {"alertname": "x"}}]
    assert client.post("/alertmanager/api/v2/alerts", json=body).status_code == 200
    house.muted_by = ["nights"]
    (group,) = client.get("/alertmanager/api/v2/alerts/groups").json()
    assert group["alerts"][0]["status"] == {
        "state": "suppressed", "silencedBy": [], "inhibitedBy": [], "mutedBy": ["nights"],
    }  # fmt: skip
    assert client.get("/alertmanager/api/v2/alerts/groups?muted=false").json() == []


def test_tenants_do_not_see_each_other():
    client = served(small_house())
    client.post("/alertmanager/api/v2/alerts", json=[{"labels": {"a": "b"}}], headers={"x-scope-orgid": "one"})
    assert client.get("/alertmanager/api/v2/alerts").json() == []
    assert len(client.get("/alertmanager/api/v2/alerts", headers={"x-scope-orgid": "one"}).json()) == 1


def test_receivers_are_chosen_by_their_name():
    client = served(small_house())
    assert client.get('/alertmanager/api/v2/receivers?receiver_matchers=name=~"t.*"').json() == [{"name": "team"}]


def test_requests_are_recorded():
    records = []
    served(small_house(), records).get("/alertmanager/api/v2/silence/x", headers={"x-scope-orgid": "one"})
    assert [(record.endpoint, record.method, record.status, record.tenant) for record in records] == [
        ("/alertmanager/api/v2/silence/{name}", "GET", 422, "one"),
    ]  # fmt: skip
