"""Swarmscope's APIs of alerts, silences and receivers as a client sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from swarmscope.app.client.asking import authorized, call
from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem

_OK, _UNAUTHORIZED, _NOT_FOUND = 200, 401, 404
_MISUSES = (400, 413, 415, 422)
Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class AlertPeer:
    """Whom to ask. `url` is Swarmscope's address; silences work with that of an Alertmanager's API too."""

    url: str
    token: str | None = None
    tenant: str | None = None

    def alerts(self, parameters: Parameters) -> dict[str, Any]:
        """The answer of `/api/alerts`. Raises QueryProblem."""
        return _object(self._ask("GET", "/api/alerts", parameters), self.url)

    def history(self, parameters: Parameters) -> dict[str, Any]:
        """The answer of `/api/alerts/history`. Raises QueryProblem."""
        return _object(self._ask("GET", "/api/alerts/history", parameters), self.url)

    def silences(self, parameters: Parameters = ()) -> list[dict[str, Any]]:
        """All silences, those that ended too. Raises QueryProblem."""
        found = self._ask("GET", "/alertmanager/api/v2/silences", parameters)
        if not isinstance(found, list):
            raise QueryProblem(f"{self.url} answered with something that is not a list of silences")
        return found

    def silence(self, silence_id: str) -> dict[str, Any]:
        """One silence. Raises QueryProblem, also where it is unknown."""
        path = f"/alertmanager/api/v2/silence/{quote(silence_id, safe='')}"
        return _object(self._ask("GET", path, missing=f"there is no silence {silence_id}"), self.url)

    def add_silence(self, silence: Mapping[str, object]) -> str:
        """Add it, and return its id. Raises QueryProblem."""
        found = _object(self._ask("POST", "/alertmanager/api/v2/silences", body=silence), self.url)
        return str(found.get("silenceID", ""))

    def expire_silence(self, silence_id: str) -> None:
        """End it now. Raises QueryProblem, also where it is unknown."""
        path = f"/alertmanager/api/v2/silence/{quote(silence_id, safe='')}"
        self._ask("DELETE", path, missing=f"there is no silence {silence_id}")

    def test_receiver(self, name: str, labels: Mapping[str, str]) -> dict[str, Any]:
        """Send a test notification, and return what became of it. Raises QueryProblem."""
        path = f"/api/receivers/{quote(name, safe='')}/test"
        return _object(self._ask("POST", path, body={"labels": dict(labels)}), self.url)

    def _ask(
        self, method: str, path: str, parameters: Parameters = (), *, body: object = None, missing: str = ""
    ) -> object:
        headers = {"accept": "application/json", **authorized(self.token, self.tenant)}
        address = f"{self.url.rstrip('/')}{path}"
        response = call(method, address, headers, self.url, parameters=parameters, body=body)
        found = _json_of(response)
        if response.status_code == _OK:
            return found
        raise self._problem(response, found, missing)

    def _problem(self, response: httpx.Response, body: object, missing: str) -> QueryProblem:
        status = response.status_code
        if status == _UNAUTHORIZED:
            return QueryProblem(f"{self.url} wants a token: give --token or set SWARMSCOPE_TOKEN")
        if message := _message(body):
            return QueryProblem(message, EXIT_MISUSED if status in _MISUSES else 1)
        if status == _NOT_FOUND:
            return QueryProblem(missing or f"{self.url} has no API of alerts: is it a Swarmscope?")
        return QueryProblem(response.text.strip() or f"{self.url} answered {status}")


def _object(found: object, url: str) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise QueryProblem(f"{url} answered with something that is not Swarmscope's JSON")
    return found


def _json_of(response: httpx.Response) -> object:
    try:
        found: object = response.json()
    except ValueError:
        return None
    return found


def _message(body: object) -> str:
    """The words of an error: Alertmanager's text or object, or our own object."""
    if isinstance(body, str):
        return body
    if not isinstance(body, dict):
        return ""
    error = body.get("error")
    inner = error.get("message") if isinstance(error, dict) else body.get("message")
    return str(inner or "")
