"""Tempo's API as a client sees it: Swarmscope's or another's."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx

from swarmscope.app.client.asking import authorized, get
from swarmscope.app.client.outcome import QueryProblem

_OK, _UNAUTHORIZED, _NOT_FOUND = 200, 401, 404
_PREFIX = "/tempo"
# What a server says that has the API, and not the trace.
_NO_TRACE = "trace not found"


@dataclass(frozen=True, slots=True)
class TracePeer:
    """Whom to ask. `url` is Swarmscope's address, or that of any Tempo up to `/api`."""

    url: str
    token: str | None = None
    tenant: str | None = None

    @property
    def bases(self) -> list[str]:
        """Where the API may be, most likely first."""
        base = self.url.rstrip("/")
        return [f"{base}/api"] if base.endswith(_PREFIX) else [f"{base}{_PREFIX}/api", f"{base}/api"]

    def trace(self, trace_id: str) -> dict[str, Any]:
        """The answer of `/v2/traces/<id>`, or what an older Tempo gives in that form. Raises QueryProblem."""
        response = self._ask(f"v2/traces/{trace_id}", {})
        if response.status_code == _NOT_FOUND and _NO_TRACE not in response.text:
            response = self._ask(f"traces/{trace_id}", {})
        if response.status_code == _NOT_FOUND:
            raise QueryProblem(f"no trace {trace_id}" if self._has_api() else f"{self.url} has no Tempo API")
        body = self._body(response)
        return {"trace": {"resourceSpans": body["batches"]}} if "batches" in body else body

    def search(self, parameters: dict[str, str]) -> dict[str, Any]:
        """The answer of `/search`. Raises QueryProblem."""
        return self._body(self._ask("search", parameters))

    def metrics(self, name: str, parameters: dict[str, str]) -> dict[str, Any]:
        """The answer of `/metrics/query` or `/metrics/query_range`. Raises QueryProblem."""
        return self._body(self._ask(f"metrics/{name}", parameters))

    def _has_api(self) -> bool:
        return self._ask("echo", {}).status_code == _OK

    def _ask(self, path: str, parameters: dict[str, str]) -> httpx.Response:
        headers = {"accept": "application/json", **authorized(self.token, self.tenant)}
        for base in self.bases:
            response = get(f"{base}/{path}", parameters, headers, self.url)
            if response.status_code != _NOT_FOUND or _NO_TRACE in response.text:
                break
        return response

    def _body(self, response: httpx.Response) -> dict[str, Any]:
        if response.status_code == _UNAUTHORIZED:
            raise QueryProblem(f"{self.url} wants a token: give --token or set SWARMSCOPE_TOKEN")
        if response.status_code == _NOT_FOUND:
            raise QueryProblem(f"{self.url} has no Tempo API")
        if response.status_code != _OK:
            raise QueryProblem(response.text.strip() or f"{self.url} answered {response.status_code}")
        try:
            body = response.json()
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise QueryProblem(f"{self.url} answered with something that is not Tempo's JSON")
        return body
