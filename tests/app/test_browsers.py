import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from swarmscope.app.access import Tokens, guarded

WRITE, QUERY, DELETE = (
    "/prometheus/api/v1/write",
    "/prometheus/api/v1/query",
    "/prometheus/api/v1/admin/tsdb/delete_series",
)


async def _done(request):
    return PlainTextResponse("done")


APP = Starlette(routes=[Route(path, _done, methods=["GET", "POST", "PUT"]) for path in (WRITE, QUERY, DELETE)])


def _status(tokens, method, path, base="http://127.0.0.1:4600", **headers):
    client = TestClient(guarded(APP, Tokens(tokens)), base_url=base)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if tokens:
        sent["authorization"] = "Basic OnNlY3JldA=="  # ":secret"
    return client.request(method, path, headers=sent).status_code


@pytest.mark.parametrize("path", [WRITE, QUERY, DELETE])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT"])
def test_without_tokens_foreign_pages_are_refused(method, path):
    assert _status([], method, path, origin="https://evil.example") == 403
    assert _status([], method, path, origin="null") == 403
    assert _status([], method, path, origin="http://127.0.0.1.evil.example") == 403
    assert _status([], method, path, sec_fetch_site="cross-site", sec_fetch_mode="no-cors") == 403


@pytest.mark.parametrize(
    "base", ["http://evil.example:4600", "http://127.0.0.1.evil.example", "http://localhost.evil.example"]
)
def test_without_tokens_rebound_names_are_refused(base):
    assert _status([], "GET", QUERY, base) == 403
    assert _status([], "POST", WRITE, base, origin=base) == 403


@pytest.mark.parametrize(
    "base",
    [
        "http://127.0.0.1:4600",
        "http://localhost:4600",
        "http://[::1]:4600",
        "http://metrics.localhost",
        "http://127.0.0.2",
    ],
)
def test_what_is_not_a_browser_and_pages_of_this_machine_are_served(base):
    assert _status([], "POST", WRITE, base) == 200
    assert _status([], "POST", WRITE, base, origin=base) == 200
    assert _status([], "POST", QUERY, base, origin="http://localhost:3000") == 200
    assert _status([], "GET", QUERY, base, sec_fetch_site="cross-site", sec_fetch_mode="navigate") == 200


def test_with_tokens_foreign_pages_may_read_and_not_change():
    foreign = {"base": "https://metrics.example", "origin": "https://evil.example"}
    assert _status(["secret"], "POST", QUERY, **foreign) == 200
    assert _status(["secret"], "POST", WRITE, **foreign) == 403
    assert _status(["secret"], "PUT", DELETE, **foreign) == 403
    assert _status(["secret"], "POST", DELETE, "https://metrics.example", origin="https://metrics.example") == 200
