"""Questions over HTTP, asked one after the other, with the server's CPU time."""

from __future__ import annotations

import http.client
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.running import Running
from bench.systems import HOST

_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Question:
    """One request; `bound_ms` is what it may take with the full plan's data stored. `count` counts its answer."""

    name: str
    path: str
    count: Callable[[bytes], int]
    bound_ms: float


def ask(running: Running, question: Question, runs: int) -> dict[str, Any]:
    """Times, CPU time and size of the answers."""
    times_ms: list[float] = []
    problem, n_results = "", 0
    connection = http.client.HTTPConnection(HOST, running.port, timeout=_TIMEOUT_S)
    before = running.process.cpu_s()
    for _ in range(runs):
        begun = time.perf_counter()
        connection.request("GET", question.path)
        answer = connection.getresponse()
        body = answer.read()
        times_ms.append((time.perf_counter() - begun) * 1e3)
        if answer.status != http.client.OK:
            problem = f"{answer.status} {body[:300].decode(errors='replace')}"
            break
        n_results = question.count(body)
    connection.close()
    return {
        "name": question.name,
        "median_ms": statistics.median(times_ms),
        "bound_ms": question.bound_ms,
        "cpu_ms": (running.process.cpu_s() - before) / len(times_ms) * 1e3,
        "values": n_results,
        "problem": problem,
    }
