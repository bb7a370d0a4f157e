"""Loki's API as a client sees it: Swarmscope's or another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import httpx

from swarmscope.app.client.command import EXIT_MISUSED, QueryProblem

_TIMEOUT_S = 150.0  # a little more than the server's own limit, so that its message arrives
_OK, _UNAUTHORIZED, _NOT_FOUND = 200, 401, 404


@dataclass(frozen=True, slots=True)
class LogPeer:
    """Whom to ask. `url` is the address in front of `/loki/api/v1`."""

    url: str
    token: str | None = None
    tenant: str | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Token and tenant."""
        headers = {"authorization": f"Bearer {self.token}"} if self.token else {}
        return {**headers, "x-scope-orgid": self.tenant} if self.tenant else headers

    @property
    def base(self) -> str:
        """The address of the API."""
        return f"{self.url.rstrip('/').removesuffix('/loki')}/loki/api/v1"

    def tail_url(self, fields: dict[str, str]) -> str:
        """Where lines come in."""
        return f"ws{self.base.removeprefix('http')}/tail?{urlencode(fields)}"

    def ask(self, name: str, fields: dict[str, str]) -> dict[str, Any]:
        """The `data` of an answer. Raises QueryProblem."""
        try:
            response = httpx.post(f"{self.base}/{name}", data=fields, headers=self.headers, timeout=_TIMEOUT_S)
        except httpx.TimeoutException:
            raise QueryProblem(f"{self.url} did not answer within {_TIMEOUT_S:.0f} s") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
            raise QueryProblem(f"{self.url!r} is not a URL: {error}", EXIT_MISUSED) from None
        except httpx.HTTPError as error:
            raise QueryProblem(f"{self.url} cannot be reached: {error}. Is `swarmscope up` running?") from None
        if response.status_code != _OK:
            raise QueryProblem(self.refusal(response.status_code, response.text))
        try:
            data = response.json()["data"]
        except (ValueError, KeyError, TypeError):
            raise QueryProblem(f"{self.url} answered with something that is not Loki's JSON") from None
        return dict(data)

    def refusal(self, status: int, text: str) -> str:
        """An error in words."""
        if status == _UNAUTHORIZED:
            return f"{self.url} wants a token: give --token or set SWARMSCOPE_TOKEN"
        if status == _NOT_FOUND:
            return f"{self.url} has no Loki API"
        return text.strip() or f"{self.url} answered {status}"
