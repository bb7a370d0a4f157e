"""What was sent, read back over Loki's API: lines with their labels and metadata apart."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from tests.integration.processes import SwarmscopeServer

PAGE = 5000
_CATEGORISED = {"x-loki-response-encoding-flags": "categorize-labels"}
_WAIT_S = 20
_NS_PER_S = 1_000_000_000


@dataclass(frozen=True)
class ReadLine:
    """One line as Loki's API gives it, under the names that LogQL knows."""

    labels: dict[str, str]
    ts_ns: int
    line: str
    metadata: dict[str, str]


def loki_api(server: SwarmscopeServer) -> str:
    """Where `query_range` and the others are."""
    return f"{server.address}/loki/api/v1"


def get(server: SwarmscopeServer, path: str, tenant: str | None = None, **parameters: Any) -> Any:
    """The `data` of an answer; fails unless it is a success."""
    headers = _CATEGORISED if tenant is None else _CATEGORISED | {"x-scope-orgid": tenant}
    answer = httpx.get(f"{loki_api(server)}/{path}", params=parameters, headers=headers, timeout=120)
    assert answer.status_code == 200, (answer.status_code, answer.text[:500])
    return answer.json()["data"]


def read_lines(
    server: SwarmscopeServer, query: str, range_ns: tuple[int, int] | None = None, tenant: str | None = None
) -> list[ReadLine]:
    """All lines of a query in start <= ts < end (by default those of the last hour and the next), oldest first.

    A page begins at the last time of the one before, whose lines of that time are taken anew.
    """
    now_ns = time.time_ns()
    start_ns, end_ns = range_ns or (now_ns - 3600 * _NS_PER_S, now_ns + 3600 * _NS_PER_S)
    found: list[ReadLine] = []
    while True:
        asked = {"query": query, "start": start_ns, "end": end_ns, "limit": PAGE, "direction": "forward"}
        page = sorted(_to_lines(get(server, "query_range", tenant, **asked)), key=lambda line: line.ts_ns)
        found = [line for line in found if line.ts_ns < start_ns] + page
        if len(page) < PAGE:
            return found
        assert page[-1].ts_ns > start_ns, "more lines of one time than a page holds"
        start_ns = page[-1].ts_ns


def _to_lines(data: Any) -> list[ReadLine]:
    assert data["resultType"] == "streams", data
    lines = []
    for stream in data["result"]:
        for ts, line, *rest in stream["values"]:
            known = rest[0] if rest else {}
            assert known.keys() <= {"structuredMetadata"}, known
            lines.append(ReadLine(stream["stream"], int(ts), line, known.get("structuredMetadata", {})))
    return lines


def wait_for_lines(server: SwarmscopeServer, query: str, count: int) -> list[ReadLine]:
    """As `read_lines`, once there are `count`; fails where there are more, or fewer after a while."""
    deadline = time.monotonic() + _WAIT_S
    while True:
        lines = read_lines(server, query)
        if len(lines) >= count or time.monotonic() > deadline:
            assert len(lines) == count, lines
            return lines
        time.sleep(0.05)


def count_lines(server: SwarmscopeServer, query: str, tenant: str | None = None) -> float:
    """The one number of an instant query, 0 for none."""
    found = get(server, "query", tenant, query=query, time=time.time_ns() + 3600 * _NS_PER_S)["result"]
    assert len(found) <= 1, found
    return float(found[0]["value"][1]) if found else 0.0


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Return when `true()`; fails with `what` after a while."""
    deadline = time.monotonic() + _WAIT_S
    while not true():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
