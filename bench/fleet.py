"""What is sent: the series of a fleet of pods, and their values as time goes on.

Every pod has the same 100 series in the same order, so a round of values is a matrix [n_pods, 100] and each kind of
series is a slice of its columns. Series have eight or nine labels, their name included, of some 220 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.typing import NDArray

SERIES_PER_POD = 100
STEP_MS = 15_000

Labels = list[tuple[str, str]]

_TEAMS = (
    "planner",
    "retriever",
    "toolcaller",
    "reviewer",
    "summariser",
    "router",
    "memory",
    "evaluator",
    "coder",
    "gate",
)
_ENDPOINTS = ("/v1/tasks/submit", "/v1/tasks/status", "/v1/tools/invoke", "/v1/memory/recall", "/readyz")
_OUTCOMES = (("GET", "200"), ("GET", "404"), ("POST", "201"), ("POST", "503"))
_BOUNDS = ("0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1.0", "2.0", "5.0", "10.0", "30.0", "+Inf")
_MODES = ("user", "system", "idle", "iowait")
_CONTAINER = {"container": "agent-runtime"}

_REQUESTS = slice(0, 20)
_BUCKETS = slice(20, 56)
_CPU = slice(56, 88)
_MEMORY = slice(88, 89)
_QUEUES = slice(89, 99)
_PAGE_BYTES = 4096


def _own_labels() -> list[dict[str, str]]:
    """What tells the 100 series of a pod apart, in the order of the columns."""
    requests = [
        {"__name__": "agent_requests_total", "endpoint": endpoint, "method": method, "code": code}
        for endpoint, (method, code) in product(_ENDPOINTS, _OUTCOMES)
    ]
    buckets = [
        {"__name__": "agent_request_duration_seconds_bucket", "endpoint": endpoint, "method": "POST", "le": bound}
        for endpoint, bound in product(_ENDPOINTS[:3], _BOUNDS)
    ]
    cpu = [
        {"__name__": "container_cpu_seconds_total", "cpu": str(core), "mode": mode, **_CONTAINER}
        for core, mode in product(range(8), _MODES)
    ]
    memory = [
        {"__name__": "process_resident_memory_bytes", "image": "registry.example/fleet/agent:2026.11", **_CONTAINER}
    ]
    queues = [
        {"__name__": "task_queue_depth", "queue": f"inbox-priority-{level:02d}", "shard": str(level % 4), **_CONTAINER}
        for level in range(10)
    ]
    info = [{"__name__": "agent_build_info", "runtime": "python3.13.1"}]
    return requests + buckets + cpu + memory + queues + info


_OWN = _own_labels()


def pod_labels(pod: int) -> dict[str, str]:
    """The labels that all series of a pod share."""
    team = _TEAMS[pod % len(_TEAMS)]
    # Any odd multiplier spreads the numbers over 32 bits without a repeat.
    replica = f"{pod * 0x9E3779B1 & 0xFFFFFFFF:08x}"
    return {
        "job": f"fleet-agents/{team}",
        "instance": f"ip-10-{pod >> 16 & 255}-{pod >> 8 & 255}-{pod & 255}.eu-north-1.compute.internal:9400",
        "cluster": f"prod-eu-north-1-{'ab'[pod // len(_TEAMS) % 2]}",
        "namespace": f"agents-{team}",
        "pod": f"{team}-agent-{replica}-{pod:05d}",
    }


def series_labels(n_pods: int) -> Iterator[Labels]:
    """The label sets of all series, pod after pod, labels sorted by name as remote write wants them."""
    for pod in range(n_pods):
        shared = pod_labels(pod)
        for own in _OWN:
            labels = {**shared, **own}
            if own["__name__"] == "agent_build_info":
                labels |= {"version": f"2026.11.{pod % 3}", "revision": shared["pod"].split("-")[2]}
            yield sorted(labels.items())


class FleetValues:
    """Values of all series, a round at a time: counters, buckets, CPU seconds, memory, queue lengths, a constant."""

    def __init__(self, n_pods: int, seed: int = 11) -> None:
        self._random = np.random.default_rng(seed)
        draw = self._random
        self._rate = draw.lognormal(3.0, 1.5, (n_pods, 20))
        shape = np.array([0.2, 0.6, 1.2, 2.2, 3.0, 2.0, 1.0, 0.5, 0.25, 0.12, 0.05, 0.02])
        self._bucket_rate = draw.lognormal(1.0, 1.2, (n_pods, 3, 1)) * shape
        self._in_bucket = draw.integers(0, 100_000, (n_pods, 3, 12))
        self._values = np.ones((n_pods, SERIES_PER_POD))
        self._values[:, _REQUESTS] = draw.integers(0, 10_000_000, (n_pods, 20))
        self._values[:, _CPU] = draw.integers(0, 100_000_000, (n_pods, 32)) / 100
        self._values[:, _MEMORY] = draw.integers(10_000, 1_000_000, (n_pods, 1)) * _PAGE_BYTES
        self._values[:, _QUEUES] = draw.integers(0, 500, (n_pods, 10))

    def next_round(self) -> NDArray[np.float64]:
        """The next value of each series [n_pods * 100]; the array is reused by the next call."""
        draw, values = self._random, self._values
        values[:, _REQUESTS] += draw.poisson(self._rate)
        self._in_bucket += draw.poisson(self._bucket_rate)
        values[:, _BUCKETS] = self._in_bucket.cumsum(axis=2).reshape(len(values), 36)
        # Whole hundredths, divided last, as a program that counts clock ticks reports them.
        ticks = np.rint(values[:, _CPU] * 100) + draw.integers(0, 1500, (len(values), 32))
        values[:, _CPU] = ticks / 100
        drift = draw.integers(-200, 200, (len(values), 1)) * _PAGE_BYTES
        values[:, _MEMORY] = np.maximum(_PAGE_BYTES, values[:, _MEMORY] + drift)
        values[:, _QUEUES] = np.maximum(0, values[:, _QUEUES] + draw.integers(-5, 6, (len(values), 10)))
        return values.reshape(-1)
