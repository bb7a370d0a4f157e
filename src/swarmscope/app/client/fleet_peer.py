"""Swarmscope's API of agents as a client sees it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from swarmscope.app.client.asking import authorized, call, get
from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem

_POLL_S = 0.5  # how often a long computation is asked after
_OK, _BAD_REQUEST, _UNAUTHORIZED, _NOT_FOUND = 200, 400, 401, 404


@dataclass(frozen=True, slots=True)
class FleetPeer:
    """Whom to ask. `url` is Swarmscope's address."""

    url: str
    token: str | None = None
    tenant: str | None = None

    def agents(self) -> dict[str, Any]:
        """The answer of `/api/agents`. Raises QueryProblem."""
        return self._ask("agents", {})

    def graph(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The answer of `/api/graph`. Raises QueryProblem."""
        return self._ask("graph", parameters)

    def conversation(self, conversation_id: str) -> dict[str, Any]:
        """The answer of `/api/conversations/<id>`. Raises QueryProblem, also where it is unknown."""
        return self._ask(f"conversations/{quote(conversation_id, safe='')}", {})

    def costs(self, parameters: Mapping[str, str]) -> dict[str, Any]:
        """The answer of `/api/costs`. Raises QueryProblem."""
        return self._ask("costs", parameters)

    def compute_intelligence(self, question: Mapping[str, object]) -> dict[str, Any]:
        """The answer of `/api/intelligence/compute`; where that is a job, when it is done. Raises QueryProblem."""
        address = f"{self.url.rstrip('/')}/api/intelligence/compute"
        answer = self._answer_of(call("POST", address, self._headers(), self.url, body=dict(question)))
        job = answer.get("job")
        while isinstance(job, dict) and job.get("state") not in ("done", "failed", "cancelled"):
            time.sleep(_POLL_S)
            job = self._ask(f"intelligence/jobs/{quote(str(job.get('id')), safe='')}", {})
        if not isinstance(job, dict):
            return answer
        if "results" not in job:
            raise QueryProblem(str(job.get("error") or f"the computation is {job.get('state')}"))
        return {**answer, "job": job, "results": job["results"]}

    def _ask(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        return self._answer_of(get(f"{self.url.rstrip('/')}/api/{path}", parameters, self._headers(), self.url))

    def _headers(self) -> dict[str, str]:
        return {"accept": "application/json", **authorized(self.token, self.tenant)}

    def _answer_of(self, response: httpx.Response) -> dict[str, Any]:
        body = _json_of(response)
        if response.status_code == _OK and isinstance(body, dict):
            return body
        raise self._problem(response, body)

    def _problem(self, response: httpx.Response, body: object) -> QueryProblem:
        status = response.status_code
        if status == _OK:
            return QueryProblem(f"{self.url} answered with something that is not Swarmscope's JSON")
        if status == _UNAUTHORIZED:
            return QueryProblem(f"{self.url} wants a token: give --token or set SWARMSCOPE_TOKEN")
        if (message := _message(body)) is not None:
            return QueryProblem(message, EXIT_MISUSED if status == _BAD_REQUEST else 1)
        if status == _NOT_FOUND:
            return QueryProblem(f"{self.url} has no API of agents: is it a Swarmscope?")
        return QueryProblem(response.text.strip() or f"{self.url} answered {status}")


def _json_of(response: httpx.Response) -> object:
    try:
        found: object = response.json()
    except ValueError:
        return None
    return found


def _message(body: object) -> str | None:
    error = body.get("error") if isinstance(body, dict) else None
    message = error.get("message") if isinstance(error, dict) else None
    return str(message) if message else None


def write_json(answer: Mapping[str, Any]) -> None:
    """Print an answer for other programs."""
    json.dump(answer, sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")
