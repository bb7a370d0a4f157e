"""Remote write under load: throughput, CPU after everything settled, memory, and what a new series costs."""

from __future__ import annotations

import statistics
from dataclasses import asdict, dataclass

from bench.bodies import Load
from bench.processes import ServerProcess, Settling
from bench.sender import Sent, send_rounds
from bench.systems import System

_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class WriteResult:
    """One system under one load. CPU is the server's alone, merges included."""

    n_series: int
    accepted: int
    refused: int
    put_off: int
    samples_per_s: float
    cpu_s_per_million: float  # without the first round, whose series are new
    cpu_s_per_million_all: float  # with it
    new_series_us: float
    peak_mib: float
    anonymous_mib: float
    latency_median_ms: float
    latency_p99_ms: float
    settled_s: float
    errors: list[str]

    def to_json(self) -> dict[str, object]:
        """As it stands in the result file."""
        return asdict(self)


def measure_write(
    system: System, port: int, process: ServerProcess, load: Load, connections: int, settling: Settling
) -> WriteResult:
    """Send a load: the first round alone, then the rest; the server comes to rest after each."""
    process.settle(Settling(0.0, settling.maximum_s))
    before = process.cpu_s()
    first = send_rounds(port, system.write_path, load.rounds[:1], connections)
    settled_s = process.settle(settling)
    between = process.cpu_s()
    rest = send_rounds(port, system.write_path, load.rounds[1:], connections)
    settled_s += process.settle(settling)
    after = process.cpu_s()
    memory = process.memory_bytes()
    steady_s_per_sample = (after - between) / max(1, rest.accepted)
    new_s = (between - before) - steady_s_per_sample * first.accepted
    latencies = sorted(rest.latencies_s)
    everything = _sum(first, rest)
    return WriteResult(
        n_series=load.n_series,
        accepted=everything.accepted,
        refused=everything.refused,
        put_off=everything.put_off,
        samples_per_s=rest.accepted / rest.seconds if rest.seconds else 0.0,
        cpu_s_per_million=steady_s_per_sample * 1e6,
        cpu_s_per_million_all=(after - before) / max(1, everything.accepted) * 1e6,
        new_series_us=new_s / load.n_series * 1e6,
        peak_mib=memory["peak"] / _MIB,
        anonymous_mib=memory["anonymous"] / _MIB,
        latency_median_ms=statistics.median(latencies) * 1e3 if latencies else 0.0,
        latency_p99_ms=latencies[int(len(latencies) * 0.99)] * 1e3 if latencies else 0.0,
        settled_s=settled_s,
        errors=everything.errors,
    )


def _sum(first: Sent, rest: Sent) -> Sent:
    return Sent(
        accepted=first.accepted + rest.accepted,
        refused=first.refused + rest.refused,
        put_off=first.put_off + rest.put_off,
        errors=[*first.errors, *rest.errors],
    )
