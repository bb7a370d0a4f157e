import base64

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from swarmscope.app.access import Tokens, guarded


async def _hello(request):
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", _hello)])


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize("header", ["Bearer one", "bearer two", "Bearer  one ", _basic("anybody:one"), _basic(":two")])
def test_accepted(header):
    client = TestClient(guarded(APP, Tokens(["one", "two"])))
    assert client.get("/", headers={"authorization": header}).text == "hello"


@pytest.mark.parametrize(
    "header",
    [None, "", "one", "Bearer", "Bearer on", "Bearer onee", "Token one", _basic("one"), _basic("one:"), "Basic %%%",
     "Bearer \xff"],
)  # fmt: skip
def test_refused(header):
    client = TestClient(guarded(APP, Tokens(["one", "two"])))
    headers = {} if header is None else {"authorization": header.encode("latin-1")}
    response = client.get("/", headers=headers)
    assert response.status_code == 401
    assert "Bearer" in response.headers["www-authenticate"]


def test_without_tokens_the_door_is_open():
    client = TestClient(guarded(APP, Tokens([])), base_url="http://127.0.0.1")
    assert client.get("/").text == "hello"


def test_a_token_beyond_ascii():
    client = TestClient(guarded(APP, Tokens(["schlüssel"])))
    assert client.get("/", headers={"authorization": "Bearer schlüssel".encode()}).status_code == 200


def test_probes_need_no_token_and_nothing_else_is_open():
    paths = ["/-/healthy", "/-/ready", "/metrics", "/-/healthy/", "/-/readyx", "/x/-/ready"]
    app = Starlette(routes=[Route(path, _hello) for path in paths])
    client = TestClient(guarded(app, Tokens(["one"])))
    assert [client.get(path).status_code for path in paths] == [200, 200, 401, 401, 401, 401]
