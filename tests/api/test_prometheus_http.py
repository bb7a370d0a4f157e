"""The Prometheus API over HTTP: exact bodies, as a running Prometheus 2.42 answers them (3.x where that differs)."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from starlette.testclient import TestClient

from swarmscope.model.contracts import MetricMetadata
from swarmscope.model.staleness import STALE_NAN
from swarmscope.query.promql import EngineSettings
from tests.api.served import NOW_MS, MemoryReader, Served, listening, refusals, serve

P = "/prometheus/api/v1"
T = NOW_MS


@pytest.fixture
def served() -> Served:
    reader = MemoryReader()
    reader.add({"__name__": "up", "job": "a", "instance": "h:1"}, (T - 30_000, 0.0), (T - 15_000, 1.0))
    reader.add({"__name__": "up", "job": "b", "instance": "h:2"}, (T - 20_000, 1.0), (T - 10_000, STALE_NAN))
    reader.add({"__name__": "gen_ai.tokens", "Agent": 'x"y\n\\', "ünï": "→"}, (T - 5_000, 0.125))
    reader.add({"__name__": "warned"}, (T, float("nan")))
    reader.exemplars[0] = [(T - 15_000, 0.5, {"trace_id": "abc"})]
    reader.families = {
        "up": [MetricMetadata("gauge", "", "Whether it is up.")],
        "requests": [MetricMetadata("counter", "s", "One."), MetricMetadata("gauge", "", "Two.")],
    }
    return serve(reader)


@pytest.fixture
def client(served: Served) -> TestClient:
    return TestClient(served.app, raise_server_exceptions=False)


def body(client: TestClient, path: str, **params: Any) -> str:
    response = client.get(P + path, params=params)
    assert response.headers["content-type"] == "application/json"
    return response.text


def error(client: TestClient, path: str, **params: Any) -> tuple[int, str, str]:
    response = client.get(P + path, params=params)
    answer = response.json()
    assert set(answer) == {"status", "errorType", "error"}
    assert answer["status"] == "error"
    return response.status_code, answer["errorType"], answer["error"]


def test_scalar_and_string(client: TestClient) -> None:
    assert (
        body(client, "/query", query="1+1", time="4")
        == '{"status":"success","data":{"resultType":"scalar","result":[4,"2"]}}'
    )
    assert (
        body(client, "/query", query='"a"', time="1.5")
        == '{"status":"success","data":{"resultType":"string","result":[1.5,"a"]}}'
    )


def test_vector(client: TestClient) -> None:
    assert body(client, "/query", query='up{job="a"}') == (
        '{"status":"success","data":{"resultType":"vector","result":'
        '[{"metric":{"__name__":"up","instance":"h:1","job":"a"},"value":[1700000000,"1"]}]}}'
    )
    assert body(client, "/query", query="nothing") == (
        '{"status":"success","data":{"resultType":"vector","result":[]}}'
    )


def test_labels_in_the_order_of_their_bytes(client: TestClient) -> None:
    text = body(client, "/query", query='{"gen_ai.tokens"}')
    assert (
        '{"metric":{"Agent":"x\\"y\\n\\\\","__name__":"gen_ai.tokens","ünï":"→"},"value":[1700000000,"0.125"]' in text
    )


def test_raw_samples(client: TestClient) -> None:
    assert body(client, "/query", query='up{job="a"}[1m]') == (
        '{"status":"success","data":{"resultType":"matrix","result":[{"metric":{"__name__":"up","instance":"h:1",'
        '"job":"a"},"values":[[1699999970,"0"],[1699999985,"1"]]}]}}'
    )


def test_range(client: TestClient) -> None:
    text = body(client, "/query_range", query="up", start=T / 1000 - 30, end=T / 1000, step="7500ms")
    assert text == (
        '{"status":"success","data":{"resultType":"matrix","result":['
        '{"metric":{"__name__":"up","instance":"h:1","job":"a"},"values":[[1699999970,"0"],[1699999977.500,"0"],'
        '[1699999985,"1"],[1699999992.500,"1"],[1700000000,"1"]]},'
        '{"metric":{"__name__":"up","instance":"h:2","job":"b"},"values":[[1699999985,"1"]]}]}}'
    )


def test_nan(client: TestClient) -> None:
    assert body(client, "/query", query="warned") == (
        '{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"warned"},'
        '"value":[1700000000,"NaN"]}]}}'
    )


def test_annotations(client: TestClient) -> None:
    answer = json.loads(body(client, "/query", query='quantile(2, rate(up{job="a"}[1m]))'))
    assert answer["warnings"] == ["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"]
    assert answer["infos"] == [
        'PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: "up" (1:18)'
    ]
    assert list(answer) == ["status", "data", "warnings", "infos"]


def test_stats(client: TestClient) -> None:
    assert "stats" not in body(client, "/query", query="7")
    stats = json.loads(body(client, "/query", query="up", stats="all"))["data"]["stats"]
    assert set(stats["timings"]) == {
        "evalTotalTime", "resultSortTime", "queryPreparationTime", "innerEvalTime", "execQueueTime", "execTotalTime"
    }  # fmt: skip
    assert set(stats["samples"]) >= {"totalQueryableSamples", "peakSamples"}


def test_limit(client: TestClient) -> None:
    answer = json.loads(body(client, "/query", query='{__name__=~"up|warned"}', limit=1))
    assert len(answer["data"]["result"]) == 1
    assert answer["warnings"] == ["results truncated due to limit"]
    assert "warnings" not in json.loads(body(client, "/query", query='{__name__=~"up|warned"}', limit=2))


BAD = "bad_data"


@pytest.mark.parametrize(("since", "target", "message"), refusals())
def test_refusals(client: TestClient, since: str, target: str, message: str) -> None:
    response = client.get(P + target)
    assert (response.status_code, response.json()) == (400, {"status": "error", "errorType": BAD, "error": message})


def test_error_kinds(client: TestClient, served: Served) -> None:
    assert error(client, "/query", query="up + on () up", time=T / 1000 - 15)[:2] == (422, "execution")
    response = client.get(P + "/query", params={"query": "up"}, headers={"X-Scope-OrgID": "broken"})
    assert (response.status_code, response.json()["errorType"]) == (503, "unavailable")
    assert response.headers["retry-after"] == "1"
    timeout = error(client, "/query", query="spin", timeout="50ms")
    assert timeout == (503, "timeout", "query timed out in expression evaluation")
    del served.reader.families
    assert error(client, "/metadata") == (500, "internal", "internal error: AttributeError")


@pytest.mark.parametrize("path", ["/prometheus/api/v1/query?query=up", "/prometheus/federate?match[]=up"])
def test_a_fault_of_ours_is_in_the_log(
    client: TestClient, served: Served, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, path: str
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(served.reader, "select_series", broken)
    response = client.get(path)
    assert response.status_code == 500
    assert "internal error: ZeroDivisionError" in response.text
    assert [record.exc_info is not None for record in caplog.records if "failed" in record.message] == [True]


def test_samples_limit(served: Served) -> None:
    client = TestClient(serve(served.reader, engine_settings=EngineSettings(max_samples=1)).app)
    assert error(client, "/query", query="up")[:2] == (422, "execution")


def test_response_limit(served: Served) -> None:
    client = TestClient(serve(served.reader, max_response_bytes=50).app)
    assert error(client, "/query", query="up") == (
        422,
        "execution",
        "the answer is larger than 50 bytes (query.max_response_bytes)",
    )
    assert client.get(P + "/query", params={"query": "1"}).status_code == 200


def test_post_forms(client: TestClient) -> None:
    form = client.post(P + "/query", data={"query": "7", "time": "4"})
    assert form.json()["data"]["result"] == [4, "7"]
    # vmalert posts everything in the query string, with an empty body and no content type.
    bare = client.post(P + "/query?query=7&time=4")
    assert bare.json()["data"]["result"] == [4, "7"]
    odd = client.post(P + "/query?query=7", content=b"\xff\x00", headers={"content-type": "text/plain"})
    assert odd.status_code == 200
    json_body = client.post(P + "/query?query=7&time=4", json={"query": "8"})
    assert json_body.json()["data"]["result"] == [4, "7"]
    both = client.post(P + "/query?query=7&time=5", data={"query": "8"})
    assert both.json()["data"]["result"] == [5, "8"]
    merged = client.post(P + '/series?match[]=up{job="a"}', data={"match[]": "warned"})
    assert len(merged.json()["data"]) == 2
    bad = client.post(P + "/query", content=b"query=%ff", headers={"content-type": "application/x-www-form-urlencoded"})
    assert (bad.status_code, bad.json()["errorType"]) == (400, BAD)


def test_series_labels_values(client: TestClient) -> None:
    assert body(client, "/series", **{"match[]": "up"}) == (
        '{"status":"success","data":[{"__name__":"up","instance":"h:1","job":"a"},'
        '{"__name__":"up","instance":"h:2","job":"b"}]}'
    )
    assert len(json.loads(body(client, "/series", **{"match[]": ["up", 'up{job="a"}', "warned"]}))["data"]) == 3
    cut = json.loads(body(client, "/series", **{"match[]": "up", "limit": 1}))
    assert (len(cut["data"]), cut["warnings"]) == (1, ["results truncated due to limit"])
    assert body(client, "/labels") == ('{"status":"success","data":["Agent","__name__","instance","job","ünï"]}')
    assert body(client, "/labels", start="1", end="2") == '{"status":"success","data":[]}'
    assert body(client, "/labels", limit=1) == (
        '{"status":"success","data":["Agent"],"warnings":["results truncated due to limit"]}'
    )
    assert body(client, "/label/job/values") == '{"status":"success","data":["a","b"]}'
    assert body(client, "/label/job/values", **{"match[]": 'up{instance="h:2"}'}) == '{"status":"success","data":["b"]}'
    assert body(client, "/label/nope/values") == '{"status":"success","data":[]}'
    assert body(client, "/label/U___FC_n_EF_/values") == '{"status":"success","data":["→"]}'
    assert body(client, "/label/%C3%BCn%C3%AF/values") == '{"status":"success","data":["→"]}'


def test_exemplars(client: TestClient) -> None:
    assert body(client, "/query_exemplars", query="rate(up[5m]) + up") == (
        '{"status":"success","data":[{"seriesLabels":{"__name__":"up","instance":"h:1","job":"a"},"exemplars":'
        '[{"labels":{"trace_id":"abc"},"value":"0.5","timestamp":1699999985}]}]}'
    )
    assert body(client, "/query_exemplars", query="up", start=1, end=2) == '{"status":"success","data":[]}'


def test_metadata(client: TestClient) -> None:
    one = '"requests":[{"type":"counter","help":"One.","unit":"s"}'
    assert body(client, "/metadata", limit=1, limit_per_metric=1) == f'{{"status":"success","data":{{{one}]}}}}'
    assert json.loads(body(client, "/metadata"))["data"].keys() == {"requests", "up"}
    assert json.loads(body(client, "/metadata", metric="up"))["data"].keys() == {"up"}
    assert body(client, "/metadata", metric="nope") == '{"status":"success","data":{}}'


def test_targets(client: TestClient) -> None:
    everything = json.loads(body(client, "/targets"))["data"]
    assert [len(everything["activeTargets"]), len(everything["droppedTargets"])] == [2, 1]
    assert everything["droppedTargetCounts"] == {"a": 1, "b": 0}
    assert json.loads(body(client, "/targets", state="active"))["data"]["droppedTargets"] == []
    assert json.loads(body(client, "/targets", state="dropped"))["data"]["activeTargets"] == []
    assert len(json.loads(body(client, "/targets", scrapePool="b"))["data"]["activeTargets"]) == 1
    assert body(client, "/scrape_pools") == '{"status":"success","data":{"scrapePools":["a","b"]}}'
    listed = json.loads(body(client, "/targets/metadata", match_target='{job=~"a|c"}', metric="up"))["data"]
    assert listed == [{"target": {"job": "a"}, "type": "gauge", "help": "h", "unit": ""}]
    assert len(json.loads(body(client, "/targets/metadata", limit=1))["data"]) == 2


def test_status(client: TestClient) -> None:
    build = json.loads(body(client, "/status/buildinfo"))["data"]
    # Grafana takes a server with "features" for Mimir.
    assert "features" not in build
    assert {"version", "revision", "branch", "buildUser", "buildDate", "goVersion"} <= build.keys()
    assert build["version"].startswith("3.")
    assert build["application"] == "swarmscope"
    assert json.loads(body(client, "/status/config"))["data"] == {"yaml": "storage: {}\n"}
    assert json.loads(body(client, "/status/flags"))["data"] == {"port": "4600"}
    runtime = json.loads(body(client, "/status/runtimeinfo"))["data"]
    assert runtime["startTime"] == "2023-11-14T22:13:20.000000000Z"
    assert runtime["storageRetention"] == "90d"
    assert json.loads(body(client, "/status/tsdb"))["data"]["headStats"] == {"numSeries": 3}
    assert body(client, "/status/walreplay") == '{"status":"success","data":{"min":0,"max":0,"current":0}}'
    assert body(client, "/rules") == '{"status":"success","data":{"groups":[]}}'
    assert body(client, "/alerts") == '{"status":"success","data":{"alerts":[]}}'
    assert body(client, "/notifications") == '{"status":"success","data":[]}'
    managers = '{"activeAlertmanagers":[],"droppedAlertmanagers":[]}'
    assert body(client, "/alertmanagers") == f'{{"status":"success","data":{managers}}}'


def test_syntax(client: TestClient) -> None:
    assert body(client, "/format_query", query="up+x") == '{"status":"success","data":"up + x"}'
    tree = json.loads(body(client, "/parse_query", query="up[5m]"))["data"]
    assert (tree["type"], tree["range"], tree["name"]) == ("matrixSelector", 300_000, "up")


def test_admin(client: TestClient, served: Served) -> None:
    disabled = client.post(P + "/admin/tsdb/snapshot")
    assert disabled.status_code == 500
    assert disabled.json() == {"status": "error", "errorType": "unavailable", "error": "admin APIs disabled"}
    assert client.get(P + "/admin/tsdb/snapshot").status_code == 405
    enabled = serve(served.reader, admin=True)
    client = TestClient(enabled.app)
    assert client.post(P + "/admin/tsdb/snapshot", params={"skip_head": "true"}).json()["data"] == {
        "name": "20231114T221320Z-1"
    }
    assert client.put(P + "/admin/tsdb/clean_tombstones").status_code == 204
    gone = client.post(P + "/admin/tsdb/delete_series", params={"match[]": 'up{job="a"}', "start": "1", "end": "2"})
    assert gone.status_code == 204
    assert client.post(P + "/admin/tsdb/delete_series").json()["error"] == "no match[] parameter provided"
    assert enabled.admin.calls == [
        ("snapshot", True),
        ("clean",),
        ("delete", "default", ['__name__="up"', 'job="a"'], 1000, 2000),
    ]


def test_federation(client: TestClient) -> None:
    response = client.get("/prometheus/federate", params={"match[]": ["up", '{"gen_ai.tokens"}', 'up{job="a"}']})
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response.text == (
        '# TYPE "gen_ai.tokens" untyped\n'
        '{"gen_ai.tokens",Agent="x\\"y\\n\\\\","ünï"="→"} 0.125 1699999995000\n'
        "# TYPE up untyped\n"
        'up{instance="h:1",job="a"} 1 1699999985000\n'
    )
    refused = client.get("/prometheus/federate", params={"match[]": "x{"})
    assert (refused.status_code, refused.text) == (400, "1:3: parse error: unexpected end of input inside braces\n")
    assert client.get("/prometheus/federate").text == ""


def test_health(client: TestClient, served: Served) -> None:
    for root in ("", "/prometheus"):
        assert client.get(f"{root}/-/healthy").text == "Swarmscope is Healthy.\n"
        assert client.get(f"{root}/-/ready").text == "Swarmscope is Ready.\n"
        head = client.head(f"{root}/-/ready")
        assert (head.status_code, head.content) == (200, b"")
        assert client.get(f"{root}/").status_code == 200
        assert client.get(f"{root}/graph").headers["content-type"].startswith("text/html")
    served.ready[0] = False
    assert client.get("/-/ready").status_code == 503
    assert client.head("/-/ready").status_code == 503
    assert client.get("/-/healthy").status_code == 200
    assert client.get("/metrics").text == "own_metric 1\n"


def test_other_answers(client: TestClient) -> None:
    missing = client.get(P + "/nope")
    assert (missing.status_code, missing.text) == (404, "404 page not found\n")
    refused = client.delete(P + "/query")
    assert (refused.status_code, refused.text) == (405, "Method Not Allowed\n")
    assert client.post(P + "/rules").status_code == 405
    preflight = client.options(P + "/query", headers={"Origin": "http://a.b"})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == "*"
    answer = client.get(P + "/rules", headers={"Origin": "http://a.b"})
    assert answer.headers["access-control-allow-headers"] == "Accept, Authorization, Content-Type, Origin"
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-origin" not in client.get(P + "/rules").headers


def test_tenant_and_records(client: TestClient, served: Served) -> None:
    other = client.get(P + "/query", params={"query": "up"}, headers={"X-Scope-OrgID": "other"})
    assert other.json()["data"]["result"] == []
    client.get(P + "/label/job/values")
    client.get(P + "/query", params={"query": "sum("})
    assert [(one.endpoint, one.status, one.tenant, one.query) for one in served.records] == [
        ("/query", 200, "other", "up"),
        ("/label/values", 200, "default", ""),
        ("/query", 400, "default", "sum("),
    ]
    assert all(one.duration_s > 0 for one in served.records)


def test_lookback_reaches_the_engine(client: TestClient, served: Served) -> None:
    client.get(P + "/query", params={"query": "up", "lookback_delta": "90s"})
    client.get(P + "/query", params={"query": "up"})
    assert [options.lookback_ms for options in served.engine.asked] == [90_000, 300_000]


def test_explain_says_what_would_be_read(client: TestClient) -> None:
    at = {"query": "sum(rate(up[5m]))", "start": "1700000000", "end": "1700000600", "step": "60"}
    told = client.get(P + "/explain", params=at).json()["data"]
    assert (told["query"], told["type"], told["steps"]) == ("sum(rate(up[5m]))", "vector", 11)
    # A window is open at its start: the first one begins a millisecond after 1700000000 s - 5 min.
    (fetch,) = told["fetches"]
    assert (fetch["start_ms"], fetch["end_ms"], fetch["source"]) == (1_699_999_700_001, 1_700_000_600_000, "samples")
    assert client.get(P + "/explain", params={"query": "up", "time": "1700000000"}).json()["data"]["steps"] == 1
    assert error(client, "/explain", query="sum(")[:2] == (400, "bad_data")


def test_points_limit_is_the_engine_s(served: Served) -> None:
    client = TestClient(serve(served.reader, engine_settings=EngineSettings(max_points=10)).app)
    asked = {"query": "up", "start": "0", "step": "1"}
    assert client.get(P + "/query_range", params={**asked, "end": "10"}).status_code == 200
    status, kind, text = error(client, "/query_range", **asked, end="11")
    assert (status, kind) == (400, "bad_data")
    assert text.startswith("exceeded maximum resolution of 10 points per timeseries.")


def test_compression(served: Served) -> None:
    for number in range(100):
        served.reader.add({"__name__": "many", "n": str(number)}, (T, number))
    with listening(served.app) as address:
        url = f"{address}{P}/query?query=many"
        plain = httpx.get(url, headers={"accept-encoding": "identity"})
        packed = httpx.get(url, headers={"accept-encoding": "br, gzip;q=0.8"})
        refused = httpx.get(url, headers={"accept-encoding": "gzip;q=0"})
        small = httpx.get(f"{address}{P}/query?query=1", headers={"accept-encoding": "gzip"})
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content == refused.content
    assert int(packed.headers["content-length"]) < len(plain.content) / 4
    assert "content-encoding" not in small.headers


def test_query_ends_when_the_client_goes_away(served: Served) -> None:
    with listening(served.app) as address:
        where = urlsplit(address)
        with socket.create_connection((where.hostname, where.port)) as connection:
            connection.sendall(f"GET {P}/query?query=spin HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            time.sleep(0.3)
            assert served.engine.ended == []
        deadline = time.monotonic() + 5
        while not served.engine.ended and time.monotonic() < deadline:
            time.sleep(0.01)
        assert served.engine.ended == ["QueryCancelledError"]


def test_queries_wait_for_a_slot(served: Served) -> None:
    busy = serve(served.reader, max_concurrent_queries=1)
    with listening(busy.app) as address:
        url = f"{address}{P}/query"
        holder = threading.Thread(target=lambda: httpx.get(url, params={"query": "spin", "timeout": "1s"}))
        holder.start()
        time.sleep(0.3)
        waiting = httpx.get(url, params={"query": "1", "timeout": "100ms"})
        assert (waiting.status_code, waiting.json()["error"]) == (503, "query timed out in query queue")
        assert httpx.get(url, params={"query": "1", "timeout": "5s"}).status_code == 200
        holder.join()
