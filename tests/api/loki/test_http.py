import time

import pytest
from starlette.testclient import TestClient

from swarmscope.model.logs import Level
from swarmscope.testing.memory_log_reader import MemoryLine
from tests.api.loki.served import NOW_NS, S, Served, serve

WEB = {"app": "web", "env": "prod", "service_name": "web"}
DB = {"app": "db", "service_name": "db"}


def _filled(**options) -> Served:
    served = serve(**options)
    lines = [
        MemoryLine(0, NOW_NS - 30 * S, 'level=info msg="one"', {"trace.kind": "a"}, Level.INFO),
        MemoryLine(0, NOW_NS - 20 * S, 'level=error msg="two\t\\"x\\""', {"trace.kind": "b"}, Level.ERROR),
        MemoryLine(0, NOW_NS - 10 * S, "three \x01 é", {}, Level.INFO),
    ]
    served.reader.add(WEB, lines)
    served.reader.add(DB, [MemoryLine(0, NOW_NS - 15 * S, "slow")])
    served.reader.add({"app": "other"}, [MemoryLine(0, NOW_NS - 15 * S, "theirs")], "b")
    return served


@pytest.fixture(name="client")
def _client():
    with TestClient(_filled().app) as client:
        yield client


def _get(client, path, status=200, headers=None, **params):
    answer = client.get(f"/loki/api/v1/{path}", params=params, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json() if status == 200 else answer.text.strip()


def test_health_probe_is_one_sample_of_2(client):
    data = _get(client, "query", query="vector(1)+vector(1)", time="1700000000000000000")["data"]
    assert data["resultType"] == "vector"
    assert data["result"] == [{"metric": {}, "value": [1700000000, "2"]}]


def test_streams_have_all_labels_and_lines_newest_first(client):
    data = _get(client, "query_range", query='{app="web"}')["data"]
    assert data["resultType"] == "streams"
    assert "encodingFlags" not in data
    assert data["result"] == [
        {
            "stream": {**WEB, "detected_level": "error", "trace_kind": "b"},
            "values": [[str(NOW_NS - 20 * S), 'level=error msg="two\t\\"x\\""']],
        },
        {
            "stream": {**WEB, "detected_level": "info", "trace_kind": "a"},
            "values": [[str(NOW_NS - 30 * S), 'level=info msg="one"']],
        },
        {
            "stream": {**WEB, "detected_level": "info"},
            "values": [[str(NOW_NS - 10 * S), "three \x01 é"]],
        },
    ]
    summary = data["stats"]["summary"]
    assert summary["totalEntriesReturned"] == 3
    assert summary["totalLinesProcessed"] >= 3


def test_categories_are_told_apart_where_asked_for(client):
    headers = {"X-Loki-Response-Encoding-Flags": "categorize-labels"}
    data = _get(client, "query_range", headers=headers, query='{app="web"} | logfmt', direction="forward")["data"]
    assert data["encodingFlags"] == ["categorize-labels"]
    (stream,) = data["result"]
    assert stream["stream"] == WEB
    first, second, third = stream["values"]
    assert first == [
        str(NOW_NS - 30 * S),
        'level=info msg="one"',
        {
            "structuredMetadata": {"detected_level": "info", "trace_kind": "a"},
            "parsed": {"level": "info", "msg": "one"},
        },
    ]
    assert second[2]["parsed"]["msg"] == 'two\t"x"'
    assert third[2]["structuredMetadata"] == {"detected_level": "info"}


def test_form_post_asks_the_same(client):
    form = {"query": '{app="db"}', "limit": "1"}
    posted = client.post("/loki/api/v1/query_range", data=form).json()["data"]["result"]
    assert posted == _get(client, "query_range", **form)["data"]["result"]
    assert [value[1] for value in posted[0]["values"]] == ["slow"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"limit": "1"}, ["three \x01 é"]),
        ({"limit": "1", "direction": "FORWARD"}, ['level=info msg="one"']),
        ({"since": "15s"}, ["three \x01 é"]),
        ({"start": str(NOW_NS - 12 * S)}, ["three \x01 é"]),
        ({"start": "1699999988", "end": "1700000000"}, ["three \x01 é"]),
        ({"start": "1699999988.5"}, ["three \x01 é"]),
        ({"start": "2023-11-14T22:13:08.000000001Z"}, ["three \x01 é"]),
        ({"end": str(NOW_NS - 30 * S)}, []),
        ({"end": str(NOW_NS - 30 * S + 1)}, ['level=info msg="one"']),
    ],
)
def test_times_limit_and_direction(client, params, expected):
    result = _get(client, "query_range", query='{app="web"}', **params)["data"]["result"]
    assert [value[1] for stream in result for value in stream["values"]] == expected


def test_interval_leaves_lines_out():
    served = serve()
    served.reader.add_lines({"app": "x"}, [(NOW_NS - 60 * S + k * S, str(k)) for k in range(10)])
    with TestClient(served.app) as client:
        query = {"query": '{app="x"}', "direction": "forward", "interval": "4s"}
        (stream,) = _get(client, "query_range", **query)["data"]["result"]
    assert [value[1] for value in stream["values"]] == ["0", "4", "8"]


def test_metric_queries_give_a_matrix_and_a_vector(client):
    query = 'sum by (app) (count_over_time({app=~".+"}[1m]))'
    data = _get(client, "query", query=query)["data"]
    assert data["resultType"] == "vector"
    assert data["result"] == [
        {"metric": {"app": "db"}, "value": [1700000000, "1"]},
        {"metric": {"app": "web"}, "value": [1700000000, "3"]},
    ]
    span = {"start": str(NOW_NS - 60 * S), "end": str(NOW_NS), "step": "60"}
    data = _get(client, "query_range", query=query, **span)["data"]
    assert data["resultType"] == "matrix"
    assert data["result"] == [
        {"metric": {"app": "db"}, "values": [[1700000000, "1"]]},
        {"metric": {"app": "web"}, "values": [[1700000000, "3"]]},
    ]


def test_empty_answers(client):
    assert _get(client, "query_range", query='{app="none"}')["data"]["result"] == []
    assert _get(client, "query", query='rate({app="none"}[1m])')["data"]["result"] == []
    assert _get(client, "series", **{"match[]": '{app="none"}'}) == {"status": "success", "data": []}
    assert _get(client, "index/stats", query='{app="none"}') == {"streams": 0, "chunks": 0, "bytes": 0, "entries": 0}
    assert _get(client, "index/volume", query='{app="none"}')["data"]["result"] == []
    assert _get(client, "detected_fields", query='{app="none"}') == {"fields": [], "limit": 1000}


@pytest.mark.parametrize(
    ("path", "params", "text"),
    [
        ("query_range", {"query": '{app="x"'}, "parse error at line 1, col 9: syntax error: unexpected $end"),
        ("query_range", {"query": ""}, "parse error at line 1, col 1: syntax error: unexpected $end"),
        ("query", {"query": '{app="web"}'}, "log queries are not supported as an instant query type"),
        ("query_range", {"query": '{app="web"}', "limit": "0"}, "limit must be a positive value"),
        ("query_range", {"query": '{app="web"}', "limit": "5001"}, "max entries limit per query exceeded"),
        ("query_range", {"query": '{app="web"}', "direction": "up"}, "invalid direction"),
        (
            "query_range",
            {"query": '{app="web"}', "start": "5", "end": "5"},
            "end timestamp must not be before or equal",
        ),
        ("query_range", {"query": '{app="web"}', "start": "soon"}, "could not parse 'start' parameter"),
        ("query_range", {"query": 'rate({app="web"}[1m])', "step": "0"}, "zero or negative query resolution step"),
        ("query_range", {"query": 'rate({app="web"}[1m])', "step": "1ms"}, "exceeded maximum resolution"),
        ("index/volume", {"query": '{app="web"}', "aggregateBy": "x"}, "invalid aggregation option"),
        ("format_query", {"query": "{"}, "parse error at line 1, col 2"),
        ("tail", {"query": '{app="web"}'}, "Bad Request"),
    ],
)
def test_refusals_are_plain_text_with_400(client, path, params, text):
    assert _get(client, path, 400, **params).startswith(text)


def test_time_limit_is_504():
    with TestClient(_filled(query_timeout_s=0.0).app) as client:
        assert "timed out" in _get(client, "query_range", 504, query='{app="web"}')


def test_labels_values_and_series(client):
    assert _get(client, "labels")["data"] == ["app", "env", "service_name"]
    assert _get(client, "label", query='{app="db"}')["data"] == ["app", "service_name"]
    assert _get(client, "label/app/values")["data"] == ["db", "web"]
    assert _get(client, "label/app/values", query='{env="prod"}')["data"] == ["web"]
    assert _get(client, "label/none/values")["data"] == []
    assert _get(client, "series", **{"match[]": ['{app="db"}', '{env="prod"}']})["data"] == [DB, WEB]
    assert _get(client, "labels", headers={"X-Scope-OrgID": "b"})["data"] == ["app"]


def test_stats_and_volumes(client):
    sizes = [len('level=info msg="one"'), len('level=error msg="two\t\\"x\\""'), len("three \x01 é".encode())]
    assert _get(client, "index/stats", query='{app="web"}') == {
        "streams": 1, "chunks": 3, "bytes": sum(sizes), "entries": 3,
    }  # fmt: skip
    assert _get(client, "index/volume", query='{app=~".+"}')["data"]["result"] == [
        {"metric": {"app": "web"}, "value": [1700000000, str(sum(sizes))]},
        {"metric": {"app": "db"}, "value": [1700000000, "4"]},
    ]
    assert len(_get(client, "index/volume", query='{app=~".+"}', limit="1")["data"]["result"]) == 1
    by_env = _get(client, "index/volume", query='{app=~".+"}', targetLabels="env")["data"]["result"]
    assert by_env == [{"metric": {"env": "prod"}, "value": [1700000000, str(sum(sizes))]}]
    by_name = _get(client, "index/volume", query='{app=~".+"}', aggregateBy="labels")["data"]["result"]
    assert [next(iter(each["metric"])) for each in by_name] == ["app", "service_name", "env"]
    span = {"start": str(NOW_NS - 40 * S), "end": str(NOW_NS), "step": "20s"}
    (element,) = _get(client, "index/volume_range", query='{app="web"}', **span)["data"]["result"]
    assert element["values"] == [[1699999980, str(sizes[0] + sizes[1])], [1700000000, str(sizes[2])]]


def test_detected(client):
    assert _get(client, "detected_labels") == {
        "detectedLabels": [
            {"label": "app", "cardinality": 2}, {"label": "env", "cardinality": 1},
            {"label": "service_name", "cardinality": 2},
        ]
    }  # fmt: skip
    fields = {each["label"]: each for each in _get(client, "detected_fields", query='{app="web"}')["fields"]}
    assert fields["trace_kind"] == {"label": "trace_kind", "type": "string", "cardinality": 2, "parsers": None}
    assert fields["msg"]["parsers"] == ["logfmt"]
    assert _get(client, "detected_field/level/values", query='{app="web"}') == {
        "values": ["error", "info"], "limit": 1000,
    }  # fmt: skip


def test_pages_about_the_program(client):
    assert _get(client, "patterns", query='{app="web"}') == {"status": "success", "data": []}
    assert _get(client, "format_query", query='{app="web"}|="x"')["data"] == '{app="web"} |= "x"'
    assert _get(client, "status/buildinfo")["version"].startswith("3.")
    limits = _get(client, "drilldown-limits")["limits"]
    assert limits["max_entries_limit_per_query"] == 5000
    assert limits["volume_enabled"] is True
    assert client.get("/loki/ready").text == "ready\n"
    with TestClient(serve(ready=False).app) as starting:
        assert starting.get("/loki/ready").status_code == 503


def test_requests_are_counted():
    served = _filled()
    with TestClient(served.app) as client:
        _get(client, "query_range", query='{app="web"}')
        _get(client, "label/app/values")
        _get(client, "query_range", 400, query="{")
    assert [(each.endpoint, each.status) for each in served.records] == [
        ("/loki/api/v1/query_range", 200), ("/loki/api/v1/label/values", 200), ("/loki/api/v1/query_range", 400),
    ]  # fmt: skip


def test_deletion_is_closed_unless_enabled(client):
    assert client.post("/loki/api/v1/delete", data={"query": '{app="web"}', "start": "0"}).status_code == 403


def test_deletion():
    served = _filled(admin=True)
    with TestClient(served.app) as client:
        for form, text in (
            ({"start": "0"}, "query not set"),
            ({"query": '{app="web"}'}, "start time not set"),
            ({"query": '{app="web"}', "start": "0", "end": "1800000000"}, "deletes in the future are not allowed"),
            ({"query": 'rate({app="web"}[1m])', "start": "0"}, "parse error"),
        ):
            refused = client.post("/loki/api/v1/delete", data=form)
            assert (refused.status_code, refused.text.startswith(text)) == (400, True), refused.text
        assert client.put("/loki/api/v1/delete", params={"query": '{app="db"}', "start": "0"}).status_code == 204
        form = {"query": '{app="web"} |= "level"', "start": "0", "end": "1700000000"}
        assert client.post("/loki/api/v1/delete", data=form).status_code == 204
        deadline = time.monotonic() + 20
        while any(each["status"] != "processed" for each in client.get("/loki/api/v1/delete").json()):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        first, second = client.get("/loki/api/v1/delete").json()
        assert first["query"] == '{app="db"}'
        assert {key: second[key] for key in ("start_time", "end_time", "status", "created_at")} == {
            "start_time": 0, "end_time": 1700000000, "status": "processed", "created_at": 1700000000,
        }  # fmt: skip
        done = client.delete("/loki/api/v1/delete", params={"request_id": first["request_id"]})
        assert done.status_code == 400
        assert client.delete("/loki/api/v1/delete", params={"request_id": "none"}).status_code == 404
        assert client.get("/loki/api/v1/delete", headers={"x-scope-orgid": "b"}).json() == []
    simple = next(call for call in served.admin.calls if call[0] == "default")
    assert simple == ("default", ['app="db"'], 0, NOW_NS + 1)
    chosen = next(call for call in served.admin.calls if call[0] != "default")
    assert sorted(chosen) == ['level=error msg="two\t\\"x\\""', 'level=info msg="one"']
