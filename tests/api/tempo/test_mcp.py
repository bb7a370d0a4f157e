import json

import pytest
from starlette.testclient import TestClient

from swarmscope.lang.traceql import parse_traceql
from tests.api.tempo.served import ORDER, SLOW, serve

PATH = "/tempo/api/mcp"
MINUTE = {"start": "2023-11-14T22:12:20Z", "end": "2023-11-14T22:13:20Z"}


@pytest.fixture(name="client", scope="module")
def _client():
    with TestClient(serve().app) as client:
        yield client


def _ask(client, method, **parameters):
    answer = client.post(PATH, json={"jsonrpc": "2.0", "id": 7, "method": method, "params": parameters})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    assert (body["jsonrpc"], body["id"]) == ("2.0", 7)
    return body


def _call(client, tool, **arguments):
    result = _ask(client, "tools/call", name=tool, arguments=arguments)["result"]
    (content,) = result["content"]
    assert content["type"] == "text"
    return result["isError"], content["text"]


def _given(client, tool, **arguments):
    is_error, text = _call(client, tool, **arguments)
    assert not is_error, text
    return json.loads(text)


def test_a_client_says_hello(client):
    result = _ask(client, "initialize", protocolVersion="2025-03-26", capabilities={}, clientInfo={})["result"]
    assert result["protocolVersion"] == "2025-03-26"
    assert result["serverInfo"]["name"] == "swarmscope"
    assert "tools" in result["capabilities"]
    assert _ask(client, "initialize", protocolVersion="1999-01-01")["result"]["protocolVersion"] == "2025-11-25"
    noted = client.post(PATH, json={"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (noted.status_code, noted.content) == (202, b"")
    assert _ask(client, "ping")["result"] == {}


def test_other_methods_of_http(client):
    assert client.delete(PATH).status_code == 200  # how mcp-grafana asks whether there are tools
    refused = client.get(PATH)
    assert (refused.status_code, refused.headers["allow"]) == (405, "POST, DELETE")


def test_tools_have_the_names_that_tempo_gives_them(client):
    tools = {tool["name"]: tool for tool in _ask(client, "tools/list")["result"]["tools"]}
    assert sorted(tools) == [
        "docs-traceql", "get-attribute-names", "get-attribute-values", "get-trace", "traceql-metrics-instant",
        "traceql-metrics-range", "traceql-search",
    ]  # fmt: skip
    search = tools["traceql-search"]["inputSchema"]
    assert search["required"] == ["query"]
    assert sorted(search["properties"]) == ["end", "query", "start"]
    assert tools["traceql-search"]["annotations"]["readOnlyHint"] is True


def test_every_tool(client):
    found = _given(client, "traceql-search", query="{ .http.method = `POST` }", **MINUTE)
    assert [trace["traceID"] for trace in found["traces"]] == [ORDER.hex()]
    numbers = _given(client, "traceql-metrics-instant", query="{ } | count_over_time()", **MINUTE)
    assert [each["value"] for each in numbers["series"]] == [5]
    (series,) = _given(client, "traceql-metrics-range", query="{ } | count_over_time()", **MINUTE)["series"]
    assert sum(sample["value"] for sample in series["samples"]) == 5
    trace = _given(client, "get-trace", trace_id=SLOW.hex())
    assert trace["trace"]["resourceSpans"][0]["scopeSpans"][0]["spans"][0]["name"] == "list"
    names = _given(client, "get-attribute-names", scope="resource")
    assert names == {"scopes": [{"name": "resource", "tags": ["region", "service.name"]}]}
    values = _given(client, "get-attribute-values", name="name", **{"filter-query": "{ .http.method = `GET` }"})
    assert values["tagValues"] == [{"type": "string", "value": "list"}]


@pytest.mark.parametrize("name", ["basic", "aggregates", "structural", "metrics"])
def test_guides_hold_queries_that_can_be_asked(client, name):
    is_error, text = _call(client, "docs-traceql", name=name)
    assert not is_error
    queries = [line.strip() for line in text.splitlines() if line.startswith("    ")]
    assert len(queries) >= 2
    for query in queries:
        parse_traceql(query)


@pytest.mark.parametrize(
    ("tool", "arguments", "text"),
    [
        ("traceql-search", {}, "'query' is required"),
        ("traceql-search", {"query": "{"}, "parse error at line 1, col 2"),
        ("traceql-search", {"query": "{ } | rate()"}, "metrics functions belong to"),
        ("traceql-metrics-instant", {"query": "{ }"}, "needs a metrics function"),
        ("traceql-search", {"query": "{ }", "start": "soon"}, "could not parse 'start'"),
        ("get-trace", {"trace_id": "abd"}, "trace not found"),
        ("get-trace", {"trace_id": "nonsense"}, "hex characters"),
        ("docs-traceql", {"name": "poems"}, "must be one of basic"),
    ],
)
def test_failures_are_told_to_the_model(client, tool, arguments, text):
    is_error, said = _call(client, tool, **arguments)
    assert is_error
    assert text in said


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700), (b"7", -32600), (b"[]", -32600), (b'{"id":1}', -32600), (b'{"id":1,"method":"sing"}', -32601),
        (b'{"id":1,"method":"tools/call","params":{"name":"dig"}}', -32602),
        (b'{"id":1,"method":"tools/call","params":[1]}', -32602),
        (b'{"id":1,"method":"tools/call","params":{"name":"get-trace","arguments":[1]}}', -32602),
    ],
)  # fmt: skip
def test_messages_that_are_none(client, body, code):
    answer = client.post(PATH, content=body)
    assert answer.status_code == 200
    assert answer.json()["error"]["code"] == code


def test_lists_of_messages(client):
    messages = [{"id": 1, "method": "ping"}, {"method": "notifications/x"}, {"id": "b", "method": "ping"}]
    assert [each["id"] for each in client.post(PATH, json=messages).json()] == [1, "b"]
    assert client.post(PATH, json=messages[1:2]).status_code == 202


def test_calls_are_counted_and_tenants_kept_apart():
    served = serve()
    call = {"id": 1, "method": "tools/call", "params": {"name": "traceql-search", "arguments": {"query": "{ }"}}}
    with TestClient(served.app) as client:
        answer = client.post(PATH, json=call, headers={"x-scope-orgid": "b"}).json()
    assert json.loads(answer["result"]["content"][0]["text"])["traces"] == []
    (record,) = served.records
    assert (record.endpoint, record.status, record.tenant, record.query) == (PATH, 200, "b", "{ }")
