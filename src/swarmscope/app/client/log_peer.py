"""Loki's API as a client sees it: Swarmscope's or another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from swarmscope.app.client.asking import authorized, post_form
from swarmscope.app.client.outcome import QueryProblem

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
        return authorized(self.token, self.tenant)

    @property
    def base(self) -> str:
        """The address of the API."""
        return f"{self.url.rstrip('/').removesuffix('/loki')}/loki/api/v1"

    def tail_url(self, fields: dict[str, str]) -> str:
        """Where lines come in."""
        return f"ws{self.base.removeprefix('http')}/tail?{urlencode(fields)}"

    def ask(self, name: str, fields: dict[str, str]) -> dict[str, Any]:
        """The `data` of an answer. Raises QueryProblem."""
        response = post_form(f"{self.base}/{name}", fields, self.headers, self.url)
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
