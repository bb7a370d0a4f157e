import json

import pytest
from starlette.testclient import TestClient, WebSocketDenialResponse

from tests.api.loki.served import NOW_NS, S, serve


def test_older_lines_come_first_then_new_ones_that_pass():
    served = serve()
    served.reader.add_lines({"app": "a"}, [(NOW_NS - 9 * S, "x old"), (NOW_NS - 8 * S, "y")])
    with TestClient(served.app) as client, client.websocket_connect('/loki/api/v1/tail?query={app="a"} |= "x"') as tail:
        (stream,) = json.loads(tail.receive_text())["streams"]
        assert stream["values"] == [[str(NOW_NS - 9 * S), "x old"]]
        served.reader.add_lines({"app": "a"}, [(NOW_NS, "x new"), (NOW_NS, "y")])
        (stream,) = json.loads(tail.receive_text())["streams"]
        assert stream["values"] == [[str(NOW_NS), "x new"]]
    assert [(each.endpoint, each.status) for each in served.records] == [("/loki/api/v1/tail", 101)]


@pytest.mark.parametrize(
    ("query", "status"),
    [("query={", 400), ('query=rate({a="b"}[1m])', 400), ('query={a="b"}&delay_for=6', 400), ('query={a="b"}', 429)],
)
def test_refusals(query, status):
    served = serve(max_tails=0)
    with (
        TestClient(served.app) as client,
        pytest.raises(WebSocketDenialResponse) as refused,
        client.websocket_connect(f"/loki/api/v1/tail?{query}"),
    ):
        pass
    assert refused.value.status_code == status
