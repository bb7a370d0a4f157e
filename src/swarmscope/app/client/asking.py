"""Requests of the client, with what may go wrong on the way in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import httpx

from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem

_TIMEOUT_S = 150.0  # a little more than the server's own limit, so that its message arrives


def send(request: httpx.Request, url: str) -> httpx.Response:
    """The answer, whatever its status. `url`: what the user knows the peer by. Raises QueryProblem."""
    try:
        with httpx.Client(timeout=_TIMEOUT_S) as client:
            return client.send(request)
    except httpx.TimeoutException:
        raise QueryProblem(f"{url} did not answer within {_TIMEOUT_S:.0f} s") from None
    except httpx.UnsupportedProtocol as error:
        raise QueryProblem(f"{url!r} is not a URL: {error}", EXIT_MISUSED) from None
    except httpx.HTTPError as error:
        raise QueryProblem(f"{url} cannot be reached: {error}. Is `swarmscope up` running?") from None


def get(address: str, parameters: Mapping[str, str], headers: Mapping[str, str], url: str) -> httpx.Response:
    """A GET; see `send`."""
    return send(_request("GET", address, url, params=dict(parameters), headers=dict(headers)), url)


def post_form(address: str, form: Mapping[str, str], headers: Mapping[str, str], url: str) -> httpx.Response:
    """A POST of a form; see `send`."""
    return send(_request("POST", address, url, data=dict(form), headers=dict(headers)), url)


def call(
    method: str,
    address: str,
    headers: Mapping[str, str],
    url: str,
    *,
    parameters: Sequence[tuple[str, str]] = (),
    body: object = None,
) -> httpx.Response:
    """A request whose parameters may repeat, with a body of JSON unless it is None; see `send`."""
    fields = {} if body is None else {"json": body}
    return send(_request(method, address, url, params=list(parameters), headers=dict(headers), **fields), url)


def _request(method: str, address: str, url: str, **fields: object) -> httpx.Request:
    try:
        return httpx.Request(method, address, **fields)  # type: ignore[arg-type]
    except httpx.InvalidURL as error:
        raise QueryProblem(f"{url!r} is not a URL: {error}", EXIT_MISUSED) from None


def authorized(token: str | None, tenant: str | None = None) -> dict[str, str]:
    """The headers for token and tenant."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return {**headers, "x-scope-orgid": tenant} if tenant else headers
