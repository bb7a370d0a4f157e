"""Taking in a load over OTLP: how fast, for how much CPU time and memory."""

from __future__ import annotations

import statistics
from typing import Any

from bench.otlp_sending import OtlpLoad, send_rounds
from bench.processes import Settling
from bench.running import Running

_MIB = 1024 * 1024
_MILLION = 1_000_000
_CONNECTIONS = 4


def write_load(running: Running, path: str, load: OtlpLoad, settling: Settling) -> dict[str, Any]:
    """Send everything, wait until the server has settled, and read its figures."""
    process = running.process
    process.settle(Settling(0.0, settling.maximum_s))
    before = process.cpu_s()
    sent = send_rounds(running.port, path, load, connections=_CONNECTIONS)
    process.settle(settling)
    memory = process.memory_bytes()
    latencies = sorted(sent.latencies_s)
    return {
        "records": load.n_records,
        "accepted": sent.accepted,
        "refused": sent.refused,
        "put_off": sent.put_off,
        "errors": sent.errors,
        "records_per_s": sent.accepted / sent.seconds if sent.seconds else 0.0,
        "cpu_s_per_million": (process.cpu_s() - before) / max(1, sent.accepted) * _MILLION,
        "peak_mib": memory["peak"] / _MIB,
        "anonymous_mib": memory["anonymous"] / _MIB,
        "latency_median_ms": statistics.median(latencies) * 1e3 if latencies else 0.0,
    }
