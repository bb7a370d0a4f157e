import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from swarmscope.api.application import CrossOrigin

OURS = r"https://[a-z]+\.example\.com"


def client(origins):
    app = Starlette(routes=[Route("/api/x", lambda request: PlainTextResponse("x"))])
    return TestClient(CrossOrigin(app, "/api/", origins))


@pytest.mark.parametrize(
    ("origins", "origin", "allowed"),
    [
        (".*", "http://a.b", "*"),
        (OURS, "https://app.example.com", "https://app.example.com"),
        (OURS, "https://app.example.com.evil", None),
        (OURS, "https://app-example.com", None),
    ],
)
def test_only_origins_that_match_whole_are_allowed(origins, origin, allowed):
    for answer in (
        client(origins).get("/api/x", headers={"Origin": origin}),
        client(origins).options("/api/x", headers={"Origin": origin}),
    ):
        assert answer.headers.get("access-control-allow-origin") == allowed
        assert "Origin" in answer.headers["vary"]


def test_without_an_origin_there_are_no_headers():
    assert "access-control-allow-methods" not in client(".*").get("/api/x").headers
