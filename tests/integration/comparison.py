"""Two answers of the Prometheus API side by side: everything that is defined has to be equal."""

from __future__ import annotations

import http.client
import math
import re
import urllib.parse
from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from tests.integration.generated_queries import Question
from tests.integration.processes import Server

# Summation order and the last bit of transcendental functions are nobody's promise.
RELATIVE_ERROR = 1e-12


class Answer(NamedTuple):
    """Status and JSON of one request."""

    status: int
    body: dict[str, Any]


class KeptAlive:
    """One connection to a server's Prometheus API; `renamed` are names in queries that it knows by another."""

    def __init__(
        self, server: Server, headers: dict[str, str] | None = None, renamed: dict[str, str] | None = None
    ) -> None:
        self._renamed = renamed or {}
        address = urllib.parse.urlsplit(server.prometheus_api)
        self._prefix = address.path
        self._connection = http.client.HTTPConnection(str(address.hostname), address.port, timeout=60)
        self._headers = {"content-type": "application/x-www-form-urlencoded"} | (headers or {})

    def get(self, path: str, *parameters: tuple[str, str]) -> tuple[int, bytes]:
        """The status and the body of a GET of `path` under the API's root."""
        target = f"{self._prefix}{path}?{urllib.parse.urlencode(parameters)}"
        self._connection.request("GET", target, headers=self._headers)
        response = self._connection.getresponse()
        return response.status, response.read()

    def ask(self, question: Question) -> Answer:
        path = "query_range" if question.is_range else "query"
        parameters = question.parameters()
        for name, other in self._renamed.items():
            parameters["query"] = parameters["query"].replace(name, other)
        form = urllib.parse.urlencode(parameters)
        self._connection.request("POST", f"{self._prefix}/api/v1/{path}", form, self._headers)
        response = self._connection.getresponse()
        return Answer(response.status, orjson.loads(response.read()))

    def ask_all(self, questions: Iterable[Question]) -> list[Answer]:
        return [self.ask(question) for question in questions]

    def close(self) -> None:
        self._connection.close()


def difference(ours: Answer, theirs: Answer, question: Question) -> str:
    """What is different, in a few words; empty if nothing is."""
    if ours.status != theirs.status:
        told = ours.body.get("error", "an answer"), theirs.body.get("error", "an answer")
        return f"status {ours.status} ({told[0]}) is not {theirs.status} ({told[1]})"
    if theirs.status != 200:
        return _error_difference(ours.body, theirs.body)
    mine, peers = ours.body["data"], theirs.body["data"]
    if mine["resultType"] != peers["resultType"]:
        return f"type {mine['resultType']} is not {peers['resultType']}"
    if mine["resultType"] in ("scalar", "string"):
        return _points_difference([mine["result"]], [peers["result"]])
    return _rows_difference(mine["result"], peers["result"]) or _order_difference(
        mine["result"], peers["result"], question
    )


def _error_difference(ours: dict[str, Any], theirs: dict[str, Any]) -> str:
    if ours["errorType"] != theirs["errorType"]:
        return f"error type {ours['errorType']} is not {theirs['errorType']}"
    mine, peers = _comparable_message(ours["error"]), _comparable_message(theirs["error"])
    return "" if mine == peers else f"message {ours['error']!r} is not {theirs['error']!r}"


def _comparable_message(message: str) -> str:
    """Of several duplicates, which ones are named first is nobody's promise.

    The parameter's name stands before a parse error in 3.x's answers to range queries too.
    """
    message = message.removeprefix('invalid parameter "query": ')
    message = re.sub(r"(match group|for labels|same labelset).*\{.*?\}", r"\1", message)
    return re.sub(r"\[\{.*\}, \{.*\}\]", "[…]", message)


def _labels(row: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(row["metric"].items()))


def _rows_difference(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> str:
    mine, peers = {_labels(row): row for row in ours}, {_labels(row): row for row in theirs}
    if len(mine) != len(ours):
        return "a series stands twice"
    if mine.keys() != peers.keys():
        return f"series: only here {_some(mine.keys() - peers.keys())}, only there {_some(peers.keys() - mine.keys())}"
    for key, row in mine.items():
        found = _points_difference(_points(row), _points(peers[key]))
        if found:
            return f"{dict(key)}: {found}"
    return ""


def _some(keys: set[tuple[tuple[str, str], ...]]) -> str:
    return f"{len(keys)}: " + ", ".join(str(dict(key)) for key in sorted(keys)[:2])


def _points(row: dict[str, Any]) -> list[list[Any]]:
    return row["values"] if "values" in row else [row["value"]]


def _points_difference(ours: list[list[Any]], theirs: list[list[Any]]) -> str:
    mine, peers = [ts for ts, _ in ours], [ts for ts, _ in theirs]
    if mine != peers:
        return f"times: only here {sorted(set(mine) - set(peers))[:3]}, only there {sorted(set(peers) - set(mine))[:3]}"
    for (ts, a), (_, b) in zip(ours, theirs, strict=True):
        if not _same_value(a, b):
            return f"at {ts} {a} is not {b}"
    return ""


def _same_value(a: str, b: str) -> bool:
    return a == b or math.isclose(float(a), float(b), rel_tol=RELATIVE_ERROR)


def _order_difference(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], question: Question) -> str:
    if question.is_range:
        rows, peer_rows = [row["metric"] for row in ours], [row["metric"] for row in theirs]
        return "" if rows == peer_rows else f"order {rows[:4]} is not {peer_rows[:4]}"
    if re.match(r"(sort|sort_desc|topk|bottomk) ?\(", question.text):
        in_order = all(map(_same_value, (row["value"][1] for row in ours), (row["value"][1] for row in theirs)))
        return "" if in_order else "the order by value"
    return ""
