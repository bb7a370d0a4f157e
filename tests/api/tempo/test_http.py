import base64
from urllib.parse import quote

import pytest
from opentelemetry.proto.trace.v1 import trace_pb2
from starlette.testclient import TestClient

from swarmscope.api.tempo.messages import message_class
from swarmscope.testing.plain_spans import PlainSpan, span_id, trace_id
from tests.api.tempo.served import MS, NOW_NS, OLD, ORDER, SHOP, SLOW, S, serve

PROTOBUF = {"accept": "application/protobuf"}
NOW_S = NOW_NS // S
LAST_MINUTE = {"start": str(NOW_S - 60), "end": str(NOW_S)}


@pytest.fixture(name="client", scope="module")
def _client():
    with TestClient(serve().app) as client:
        yield client


def _get(client, path, status=200, headers=None, **params):
    answer = client.get(f"/tempo/api/{path}", params=params, headers=headers)
    assert answer.status_code == status, answer.text
    return answer.json() if status == 200 else answer.text


def _found(client, **params):
    return [trace["traceID"] for trace in _get(client, "search", **params)["traces"]]


def test_echo_and_state(client):
    echo = client.get("/tempo/api/echo")
    assert (echo.status_code, echo.text) == (200, "echo")
    assert client.get("/tempo/ready").text == "ready\n"
    assert client.get("/tempo/status").status_code == 200
    assert _get(client, "status/buildinfo")["version"].startswith("2.")
    with TestClient(serve(ready=False).app) as starting:
        assert starting.get("/tempo/ready").status_code == 503


def test_a_trace_with_all_its_fields(client):
    batches = _get(client, f"traces/{ORDER.hex()}")["batches"]
    spans = [span for batch in batches for scope in batch["scopeSpans"] for span in scope["spans"]]
    assert sorted(span["name"] for span in spans) == ["POST /charge", "audit", "charge", "order"]
    first = next(batch for batch in batches if "schemaUrl" in batch)
    assert first["schemaUrl"] == "https://resource"
    assert first["resource"]["attributes"] == [
        {"key": "service.name", "value": {"stringValue": "shop"}}, {"key": "region", "value": {"stringValue": "eu"}},
    ]  # fmt: skip
    (of_scope,) = first["scopeSpans"]
    assert of_scope["scope"] == {
        "name": "lib", "version": "1.2", "attributes": [{"key": "tier", "value": {"stringValue": "gold"}}],
        "droppedAttributesCount": 1,
    }  # fmt: skip
    assert of_scope["spans"] == [
        {
            "traceId": base64.b64encode(ORDER).decode(), "spanId": "AAAAAAAAAAE=", "traceState": "x=y", "flags": 257,
            "name": "order", "kind": "SPAN_KIND_SERVER", "startTimeUnixNano": "1699999980000000000",
            "endTimeUnixNano": "1699999980300000000",
            "attributes": [
                {"key": "http.method", "value": {"stringValue": "POST"}}, {"key": "items", "value": {"intValue": "3"}},
                {"key": "paid", "value": {"boolValue": True}}, {"key": "ratio", "value": {"doubleValue": 0.5}},
            ],
            "droppedAttributesCount": 1,
            "events": [
                {
                    "timeUnixNano": "1699999980001000000", "name": "cached",
                    "attributes": [{"key": "hit", "value": {"boolValue": False}}], "droppedAttributesCount": 2,
                }
            ],
            "droppedEventsCount": 2,
            "links": [
                {
                    "traceId": base64.b64encode(SLOW).decode(), "spanId": "AAAAAAAAAAk=", "traceState": "a=b",
                    "attributes": [{"key": "why", "value": {"stringValue": "retry"}}], "droppedAttributesCount": 1,
                    "flags": 1,
                }
            ],
            "droppedLinksCount": 3,
            "status": {},
        }
    ]  # fmt: skip
    refused = next(span for span in spans if span["name"] == "POST /charge")
    assert refused["status"] == {"message": "card refused", "code": "STATUS_CODE_ERROR"}
    assert refused["parentSpanId"] == "AAAAAAAAAAI="


def test_the_second_version_wraps_the_trace(client):
    answer = _get(client, f"v2/traces/{ORDER.hex()}")
    assert answer["status"] == "COMPLETE"
    assert "message" not in answer
    assert answer["trace"]["resourceSpans"] == _get(client, f"traces/{ORDER.hex()}")["batches"]


def test_traces_as_protobuf(client):
    answer = client.get(f"/tempo/api/traces/{ORDER.hex()}", headers=PROTOBUF)
    assert answer.headers["content-type"] == "application/protobuf"
    data = trace_pb2.TracesData.FromString(answer.content)
    spans = [span for each in data.resource_spans for scope in each.scope_spans for span in scope.spans]
    assert {span.trace_id for span in spans} == {ORDER}
    wrapped = client.get(f"/tempo/api/v2/traces/{ORDER.hex()}", headers=PROTOBUF).content
    message = message_class("TraceByIDResponse").FromString(wrapped)
    assert (message.trace, message.status, message.message) == (answer.content, 0, "")


@pytest.mark.parametrize("path", ["traces", "v2/traces"])
def test_ids_of_traces(client, path):
    assert _get(client, f"{path}/abc") == _get(client, f"{path}/{SLOW.hex().upper()}")
    assert _get(client, f"{path}/abd", 404) == "trace not found"
    assert "invalid character 'x' at position 3" in _get(client, f"{path}/abx", 400)
    assert "128 bits" in _get(client, f"{path}/{'1' * 33}", 400)


def test_times_bound_where_a_trace_is_looked_for(client):
    assert _get(client, f"traces/{ORDER.hex()}", **LAST_MINUTE)["batches"]
    assert _get(client, f"traces/{OLD.hex()}", 404, **LAST_MINUTE) == "trace not found"
    assert _get(client, f"traces/{OLD.hex()}", end=str(NOW_S))["batches"]


def _names(answer):
    return sorted(
        span["name"]
        for batch in answer["trace"]["resourceSpans"] for scope in batch["scopeSpans"] for span in scope["spans"]
    )  # fmt: skip


@pytest.mark.parametrize(
    ("params", "names"),
    [
        ({"q": "{ }"}, ["POST /charge", "audit", "charge", "order"]),
        ({"q": ""}, ["POST /charge", "audit", "charge", "order"]),
        ({"q": "{ status = error }"}, ["POST /charge", "charge", "order"]),
        ({"q": "{ status = error }", "keep_hierarchy": "false"}, ["POST /charge"]),
        ({"q": "{ .http.method = `POST` }", "keep_hierarchy": "false"}, ["POST /charge", "order"]),
        ({"q": "{ parent.resource.service.name = `shop` }", "keep_hierarchy": "false"}, ["POST /charge", "charge"]),
        ({"q": "{ resource.service.name = `shop` }"}, ["charge", "order"]),
        ({"q": "{ name = `nothing` }"}, []),
    ],
)
def test_spans_of_a_trace_that_a_filter_chooses(client, params, names):
    answer = _get(client, f"v2/traces/{ORDER.hex()}", **params)
    assert _names(answer) == names
    assert answer["status"] == "COMPLETE"


def test_other_queries_are_no_filter(client):
    assert "only one spanset filter" in _get(client, f"v2/traces/{ORDER.hex()}", 400, q="{ } | count() > 1")
    assert "parse error" in _get(client, f"v2/traces/{ORDER.hex()}", 400, q="{")
    assert "invalid keep_hierarchy" in _get(client, f"v2/traces/{ORDER.hex()}", 400, q="{ }", keep_hierarchy="some")


def test_missing_parents_make_a_trace_partial():
    served = serve()
    served.reader.add([PlainSpan(trace_id(8), span_id(1), "lost", NOW_NS, NOW_NS + 1, span_id(99), resource=SHOP)])
    with TestClient(served.app) as client:
        answer = _get(client, "v2/traces/8")
        encoded = client.get("/tempo/api/v2/traces/8", headers=PROTOBUF).content
    assert answer["status"] == "PARTIAL"
    assert answer["message"] == "1 of its 1 spans name a parent that is not here"
    message = message_class("TraceByIDResponse").FromString(encoded)
    assert (message.status, message.message) == (1, answer["message"])


def test_a_trace_above_the_byte_limit_is_cut_at_its_end():
    served = serve(max_trace_bytes=1000)
    attributes = {"text": "x" * 100}
    served.reader.add([
        PlainSpan(trace_id(8), span_id(k), f"s{k}", NOW_NS + k, NOW_NS + k, attributes=attributes, resource=SHOP)
        for k in range(1, 101)
    ])  # fmt: skip
    with TestClient(served.app) as client:
        answer = _get(client, "v2/traces/8")
        (batch,) = answer["trace"]["resourceSpans"]
        kept = [span["name"] for span in batch["scopeSpans"][0]["spans"]]
        size = len(client.get("/tempo/api/traces/8", headers=PROTOBUF).content)
    assert kept == [f"s{k}" for k in range(1, len(kept) + 1)]
    assert 500 <= size <= 1100
    assert answer["status"] == "PARTIAL"
    assert f"{100 - len(kept)} of its 100 spans are left out" in answer["message"]


def test_search(client):
    query = "{ .http.method = `POST` } | select(resource.region)"
    (trace,) = _get(client, "search", q=query, spss="1", **LAST_MINUTE)["traces"]
    sets = trace.pop("spanSets")
    assert trace.pop("spanSet") == sets[0]
    assert trace == {
        "traceID": ORDER.hex(), "rootServiceName": "shop", "rootTraceName": "order",
        "startTimeUnixNano": "1699999980000000000", "durationMs": 300,
        "serviceStats": {"shop": {"spanCount": 2, "errorCount": 0}, "bank": {"spanCount": 2, "errorCount": 1}},
    }  # fmt: skip
    assert sets == [
        {
            "matched": 2,
            "spans": [
                {
                    "spanID": "0000000000000001", "name": "order", "startTimeUnixNano": "1699999980000000000",
                    "durationNanos": "300000000",
                    "attributes": [
                        {"key": "http.method", "value": {"stringValue": "POST"}},
                        {"key": "region", "value": {"stringValue": "eu"}},
                    ],
                }
            ],
        }
    ]  # fmt: skip


def test_search_in_time(client):
    assert _found(client, q="{ }", **LAST_MINUTE) == [SLOW.hex(), ORDER.hex()]
    assert _found(client, q="{ }", limit="1", **LAST_MINUTE) == [SLOW.hex()]
    assert _found(client, q="{ }", start=str(NOW_S - 30), end=str(NOW_S - 20)) == [ORDER.hex()]
    assert _found(client, q="{ }", start="0", end="0") == [SLOW.hex(), ORDER.hex()]
    assert _found(client, q="{ }", start=str(NOW_S - 15)) == [SLOW.hex()]
    # Without times the recent ones come, and older ones where there are none.
    assert _found(client, q="{ }") == [SLOW.hex(), ORDER.hex()]
    assert _found(client, q="{ name = `ancient` }") == [OLD.hex()]
    assert _found(client, q="{ name = `nothing` }") == []
    assert client.get("/tempo/api/search", headers={"x-scope-orgid": "b"}).json()["traces"] == []


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"tags": "service.name=BAN"}, [ORDER]),
        ({"tags": "http.method=get"}, [SLOW]),
        ({"tags": 'http.status_code=402 name="post /charge"'}, [ORDER]),
        ({"tags": "paid=true"}, [ORDER]),
        ({"tags": "error=true"}, [ORDER]),
        ({"tags": "status.code=error"}, [ORDER]),
        ({"tags": "name=o.der"}, []),
        ({"tags": "region=eu", "minDuration": "1s"}, [SLOW]),
        ({"minDuration": "1s"}, [SLOW]),
        ({"minDuration": "200ms", "maxDuration": "1500ms"}, [ORDER]),
    ],
)
def test_the_older_search_by_tags(client, params, expected):
    assert _found(client, **params, **LAST_MINUTE) == [each.hex() for each in expected]


@pytest.mark.parametrize(
    ("path", "params", "text"),
    [
        ("search", {"q": "{"}, "parse error at line 1, col 2: syntax error: unexpected $end"),
        ("search", {"q": "{ } | rate()"}, "a search gives traces"),
        ("search", {"q": "{ }", "limit": "0"}, "invalid limit: must be a positive number"),
        ("search", {"q": "{ }", "limit": "x"}, "invalid limit: 'x' is not a whole number"),
        ("search", {"q": "{ }", "limit": "9" * 5000}, "invalid limit: out of range"),
        ("search", {"q": "{ }", "start": "1e999"}, "could not parse 'start' parameter: '1e999' is out of range"),
        ("search", {"q": "{ }", "limit": "10001"}, "limit 10001 exceeds max limit 10000"),
        ("search", {"q": "{ }", "start": "10", "end": "5"}, "http parameter start must be before end"),
        ("search", {"q": "{ }", "start": "soon"}, "could not parse 'start' parameter"),
        ("search", {"tags": "a=1 a=2"}, "invalid tags: tag a has been set twice"),
        ("search", {"tags": "a=="}, "invalid tags: unexpected"),
        ("search", {"minDuration": "long"}, "could not parse 'minDuration' parameter"),
        ("search/tags", {"scope": "planet"}, "invalid scope: planet"),
        ("v2/search/tag/}/values", {}, "parse error"),
        ("metrics/query", {"q": "{ }"}, "a metrics query needs a metrics function"),
        ("metrics/query_range", {"q": "{ } | rate()", "step": "0"}, "invalid step"),
        ("metrics/query_range", {"q": "{ } | rate()", "step": "1ms"}, "the range has"),
        ("metrics/query_range", {"q": "{ } | rate("}, "parse error at line 1, col 12"),
        ("metrics/summary", {"q": "{ }"}, "groupBy is required"),
        ("metrics/summary", {"q": "{ } | rate()", "groupBy": "name"}, "the query of a summary takes no metrics"),
        ("metrics/summary", {"q": "{ }", "groupBy": "name) | rate("}, "parse error"),
    ],
)
def test_refusals_are_plain_text_with_400(client, path, params, text):
    assert _get(client, path, 400, **params).startswith(text)


def test_limits_of_time_and_of_spans():
    with TestClient(serve(query_timeout_s=0.0).app) as client:
        assert "timed out" in _get(client, "search", 504, q="{ }")
    with TestClient(serve(max_spans=2).app) as client:
        assert "too many spans" in _get(client, "search", 400, q="{ }")


def test_tag_names(client):
    names = [
        "hit",
        "http.method",
        "http.status_code",
        "items",
        "paid",
        "ratio",
        "region",
        "service.name",
        "tier",
        "why",
    ]
    assert _get(client, "search/tags") == {"tagNames": names}
    assert _get(client, "search/tags", scope="resource") == {"tagNames": ["region", "service.name"]}
    scopes = {each["name"]: each["tags"] for each in _get(client, "v2/search/tags")["scopes"]}
    intrinsics = scopes.pop("intrinsic")
    assert {"duration", "kind", "name", "rootServiceName", "status", "trace:rootName"} < set(intrinsics)
    assert scopes == {
        "span": ["http.method", "http.status_code", "items", "paid", "ratio"], "resource": ["region", "service.name"],
        "event": ["hit"], "link": ["why"], "instrumentation": ["tier"],
    }  # fmt: skip
    assert _get(client, "v2/search/tags", scope="span", limit="2") == {
        "scopes": [{"name": "span", "tags": ["http.method", "http.status_code"]}]
    }
    assert _get(client, "search/tags", scope="intrinsic")["tagNames"] == intrinsics


def test_tag_names_of_some_spans(client):
    scopes = _get(client, "v2/search/tags", q="{ resource.service.name = `bank` }", **LAST_MINUTE)["scopes"]
    assert {each["name"]: each["tags"] for each in scopes if each["name"] != "intrinsic"} == {
        "span": ["http.method", "http.status_code"], "resource": ["service.name"],
    }  # fmt: skip
    only = _get(client, "v2/search/tags", q="{ name = `order` }", scope="event")["scopes"]
    assert only == [{"name": "event", "tags": ["hit"]}]
    everything = _get(client, "v2/search/tags")["scopes"]
    assert _get(client, "v2/search/tags", q="{ resource.service.name = ")["scopes"] == everything
    none = _get(client, "v2/search/tags", q="{ name = `nothing` }", scope="span")
    assert none == {"scopes": []}


def _values(client, tag, **params):
    return [
        (each["type"], each["value"]) for each in _get(client, f"v2/search/tag/{tag}/values", **params)["tagValues"]
    ]


def test_tag_values(client):
    assert _get(client, "search/tag/service.name/values") == {"tagValues": ["bank", "shop"]}
    assert _get(client, "search/tag/name/values", **LAST_MINUTE)["tagValues"] == [
        "POST /charge", "audit", "charge", "list", "order",
    ]  # fmt: skip
    assert _values(client, "resource.service.name") == [("string", "bank"), ("string", "shop")]
    assert _values(client, ".service.name", limit="1") == [("string", "bank")]
    assert _values(client, "span.http.status_code") == [("int", "402")]
    assert _values(client, "span.paid") == [("bool", "true")]
    assert _values(client, "span.ratio") == [("float", "0.5")]
    assert _values(client, "rootServiceName", **LAST_MINUTE) == [("string", "shop")]
    assert {("keyword", "error"), ("keyword", "ok"), ("keyword", "unset")} == set(_values(client, "status"))
    assert ("keyword", "server") in _values(client, "kind")
    assert _values(client, "event.hit") == [("bool", "false")]
    assert _values(client, "span.nothing") == []


def test_tag_values_of_some_spans(client):
    assert _values(client, "name", q="{ resource.service.name = `bank` }", **LAST_MINUTE) == [
        ("string", "POST /charge"), ("string", "audit"),
    ]  # fmt: skip
    # What somebody is still typing filters nothing.
    assert len(_values(client, "name", q="{ resource.service.name = ", **LAST_MINUTE)) == 5


def test_names_of_tags_may_be_encoded_once_more():
    served = serve()
    odd = "a/b c"
    served.reader.add([PlainSpan(trace_id(8), span_id(1), "x", NOW_NS, NOW_NS, attributes={odd: "v"}, resource=SHOP)])
    with TestClient(served.app) as client:
        for spelled in (quote(f'span."{odd}"', safe=""), quote(quote(f'span."{odd}"', safe=""), safe="")):
            answer = client.get(f"/tempo/api/v2/search/tag/{spelled}/values")
            assert answer.json()["tagValues"] == [{"type": "string", "value": "v"}], spelled
        answer = client.get(f"/tempo/api/search/tag/{quote(odd, safe='')}/values")
        assert answer.json()["tagValues"] == ["v"]


def _labels(series):
    return {each["key"]: next(iter(each["value"].values())) for each in series["labels"]}


def test_numbers_over_a_range(client):
    query = "{ } | count_over_time() by (resource.service.name)"
    times = {"start": str(NOW_S - 30), "end": str(NOW_S), "step": "10s"}
    answer = _get(client, "metrics/query_range", q=query, **times)
    points = {
        _labels(each)["resource.service.name"]: [(point["timestampMs"], point["value"]) for point in each["samples"]]
        for each in answer["series"]
    }
    # A span that begins at a step's end is in it.
    stamps = [f"{NOW_S - 20}000", f"{NOW_S - 10}000", f"{NOW_S}000"]
    assert points == {
        "shop": list(zip(stamps, [1, 2, 0], strict=True)), "bank": list(zip(stamps, [0, 2, 0], strict=True)),
    }  # fmt: skip
    shop = next(each for each in answer["series"] if _labels(each)["resource.service.name"] == "shop")
    assert shop["promLabels"] == '{"resource.service.name"="shop"}'
    ids = {label["value"]["stringValue"] for each in shop["exemplars"] for label in each["labels"]}
    assert ids == {ORDER.hex(), SLOW.hex()}
    none = _get(client, "metrics/query_range", q=query, exemplars="0", **times)
    assert all("exemplars" not in each for each in none["series"])
    same = {**times, "start": str((NOW_S - 30) * S), "end": "2023-11-14T22:13:20Z"}
    assert _get(client, "metrics/query_range", q=query, **same) == answer


def test_numbers_at_once(client):
    query = "{ } | count_over_time() by (status)"
    answer = _get(client, "metrics/query", q=query, since="1m")
    assert {_labels(each)["status"]: each["value"] for each in answer["series"]} == {"unset": 4, "error": 1}
    assert _get(client, "metrics/query", q="{ name = `nothing` } | max_over_time(duration)")["series"] == []


def test_answers_as_protobuf(client):
    for path, name, params in (
        ("search", "SearchResponse", {"q": "{ .items = 3 }"}),
        ("search/tags", "SearchTagsResponse", {}),
        ("v2/search/tags", "SearchTagsV2Response", {}),
        ("search/tag/name/values", "SearchTagValuesResponse", {}),
        ("v2/search/tag/name/values", "SearchTagValuesV2Response", {}),
        ("metrics/query_range", "QueryRangeResponse", {"q": "{ } | rate()", "step": "1m"}),
        ("metrics/query", "QueryInstantResponse", {"q": "{ } | rate()"}),
        ("metrics/summary", "SpanMetricsSummaryResponse", {"q": "{ }", "groupBy": "kind"}),
    ):
        answer = client.get(f"/tempo/api/{path}", params=params, headers=PROTOBUF)
        assert (answer.status_code, answer.headers["content-type"]) == (200, "application/protobuf"), answer.text
        assert message_class(name).FromString(answer.content).ByteSize() > 0, path
    content = client.get("/tempo/api/search", params={"q": "{ .items = 3 }"}, headers=PROTOBUF).content
    (trace,) = message_class("SearchResponse").FromString(content).traces
    assert (trace.traceID, trace.startTimeUnixNano, trace.durationMs) == (ORDER.hex(), NOW_NS - 20 * S, 300)
    assert {(each.key, each.value.spanCount) for each in trace.serviceStats} == {("shop", 2), ("bank", 2)}
    (attribute,) = trace.spanSets[0].spans[0].attributes
    assert (attribute.key, attribute.value.int_value) == ("items", 3)


def test_summary_of_server_spans():
    served = serve()
    served.reader.add([
        PlainSpan(
            trace_id(100 + k), span_id(1), "pay", NOW_NS - S, NOW_NS - S + (1 << k) * MS, kind=2, status=2 * (k == 0),
            resource={"service.name": "till"}, attributes={"n": k % 2},
        )
        for k in range(4)
    ])  # fmt: skip
    query = {"q": "{ resource.service.name = `till` }", "groupBy": "name,span.n"}
    with TestClient(served.app) as client:
        summaries = _get(client, "metrics/summary", **query)["summaries"]
    assert [(each["spanCount"], each.get("errorSpanCount")) for each in summaries] == [("2", "1"), ("2", None)]
    assert summaries[0]["series"] == [
        {"key": "name", "value": {"type": 5, "s": "pay"}}, {"key": "span.n", "value": {"type": 3, "n": "0"}},
    ]  # fmt: skip
    # Durations are 1 and 4 ms, known to a power of two.
    assert 1 * MS <= int(summaries[0]["p50"]) < 4 * MS
    assert 2 * MS <= int(summaries[0]["p99"]) <= 8 * MS


def test_requests_are_counted():
    served = serve()
    with TestClient(served.app) as client:
        _get(client, "search", q="{ }")
        _get(client, f"traces/{OLD.hex()}")
        _get(client, "v2/search/tag/name/values")
        _get(client, "search", 400, q="{")
    assert [(each.endpoint, each.status, each.query) for each in served.records] == [
        ("/tempo/api/search", 200, "{ }"), ("/tempo/api/traces/{name}", 200, ""),
        ("/tempo/api/v2/search/tag/values", 200, ""), ("/tempo/api/search", 400, "{"),
    ]  # fmt: skip


def test_without_a_prefix_the_paths_are_those_of_tempo():
    with TestClient(serve(prefix="").app) as client:
        assert client.get("/api/echo").text == "echo"
        assert client.get("/ready").text == "ready\n"
