"""A remote-write sender: connections kept open, each owns some slices of the series so that time never goes back."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.bodies import Body
from bench.systems import HOST

_HEADERS = {
    "Content-Encoding": "snappy",
    "Content-Type": "application/x-protobuf",
    "X-Prometheus-Remote-Write-Version": "0.1.0",
    "User-Agent": "swarmscope-bench",
}
_TIMEOUT_S = 120
_TRIES = 100
_SHOWN_ERRORS = 5


@dataclass(slots=True)
class Sent:
    """What became of a number of rounds."""

    accepted: int = 0
    refused: int = 0
    put_off: int = 0  # answers that asked to come again (429, 5xx)
    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def _send_slices(port: int, path: str, rounds: Sequence[Sequence[Body]], mine: Sequence[int], sent: Sent) -> None:
    connection = http.client.HTTPConnection(HOST, port, timeout=_TIMEOUT_S)
    try:
        for bodies in rounds:
            for slice_number in mine:
                begun = time.perf_counter()
                _deliver(connection, path, bodies[slice_number], sent)
                sent.latencies_s.append(time.perf_counter() - begun)
    except OSError as error:
        sent.errors.append(repr(error))
    finally:
        connection.close()


def _deliver(connection: http.client.HTTPConnection, path: str, body: Body, sent: Sent) -> None:
    for _ in range(_TRIES):
        connection.request("POST", path, body.payload, _HEADERS)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status < 300:
            sent.accepted += body.n_samples
            return
        if answer.status != http.client.TOO_MANY_REQUESTS and answer.status < 500:
            break
        sent.put_off += 1
        time.sleep(min(float(answer.headers.get("Retry-After", "0.1")), 5.0))
    sent.refused += body.n_samples
    if len(sent.errors) < _SHOWN_ERRORS:
        sent.errors.append(f"{answer.status} {text[:200].decode(errors='replace')}")


def send_rounds(port: int, path: str, rounds: Sequence[Sequence[Body]], connections: int) -> Sent:
    """Send all rounds as fast as the server takes them, over at most `connections` connections."""
    n_slices = len(rounds[0]) if rounds else 0
    connections = min(connections, n_slices)
    parts = [Sent() for _ in range(connections)]
    threads = [
        threading.Thread(target=_send_slices, args=(port, path, rounds, range(i, n_slices, connections), part))
        for i, part in enumerate(parts)
    ]
    begun = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Sent(
        accepted=sum(part.accepted for part in parts),
        refused=sum(part.refused for part in parts),
        put_off=sum(part.put_off for part in parts),
        seconds=time.perf_counter() - begun,
        latencies_s=[latency for part in parts for latency in part.latencies_s],
        errors=[error for part in parts for error in part.errors][:_SHOWN_ERRORS],
    )
