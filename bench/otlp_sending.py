"""Sends rounds of bodies over OTLP/HTTP: times go on from round to round, ids are new."""

from __future__ import annotations

import http.client
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from bench.systems import HOST

_HEADERS = {"Content-Type": "application/x-protobuf", "User-Agent": "swarmscope-bench"}
_TIMEOUT_S = 120
_TRIES = 200
_SHOWN_ERRORS = 5


class OtlpBody(Protocol):
    """A request that is encoded once and sent many times."""

    @property
    def n_records(self) -> int:
        """Lines or spans."""
        ...

    @property
    def n_times(self) -> int:
        """How many times `rewrite` takes."""
        ...

    def rewrite(self, times_ns: NDArray[np.int64], generator: np.random.Generator) -> bytes:
        """The body with other times [n_times], ascending, and other ids."""
        ...


@dataclass(frozen=True, slots=True)
class OtlpLoad:
    """`rounds` times all bodies; what they bring lies evenly between `start_ns` and `end_ns`."""

    bodies: Sequence[OtlpBody]
    rounds: int
    start_ns: int
    end_ns: int

    @property
    def n_records(self) -> int:
        """Lines or spans in all rounds."""
        return self.rounds * sum(body.n_records for body in self.bodies)


@dataclass(slots=True)
class Sent:
    """What became of a load."""

    accepted: int = 0
    refused: int = 0
    put_off: int = 0
    seconds: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def send_rounds(port: int, path: str, load: OtlpLoad, connections: int) -> Sent:
    """Send everything as fast as the server takes it; each connection owns some of the bodies."""
    parts = [Sent() for _ in range(connections)]
    threads = [
        threading.Thread(target=_send_part, args=(port, path, load, (number, connections), part))
        for number, part in enumerate(parts)
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


def _send_part(port: int, path: str, load: OtlpLoad, share: tuple[int, int], sent: Sent) -> None:
    number, connections = share
    generator = np.random.default_rng(number + 1)
    connection = http.client.HTTPConnection(HOST, port, timeout=_TIMEOUT_S)
    span_ns = (load.end_ns - load.start_ns) // load.rounds
    try:
        for turn in range(load.rounds):
            for body in load.bodies[number::connections]:
                offsets = np.sort(generator.integers(0, span_ns, body.n_times))
                payload = body.rewrite(load.start_ns + turn * span_ns + offsets, generator)
                begun = time.perf_counter()
                _deliver(connection, path, (payload, body.n_records), sent)
                sent.latencies_s.append(time.perf_counter() - begun)
    except OSError as error:
        sent.errors.append(repr(error))
    finally:
        connection.close()


def _deliver(connection: http.client.HTTPConnection, path: str, body: tuple[bytes, int], sent: Sent) -> None:
    payload, n_records = body
    status, text = 0, b""
    for _ in range(_TRIES):
        connection.request("POST", path, payload, _HEADERS)
        answer = connection.getresponse()
        status, text = answer.status, answer.read()
        if status < 300:
            if text:  # an empty answer means that everything was taken
                sent.errors.append(f"partial success: {text[:200]!r}")
            sent.accepted += n_records
            return
        if status != http.client.TOO_MANY_REQUESTS and status < 500:
            break
        sent.put_off += 1
        time.sleep(min(float(answer.headers.get("Retry-After", "0.1")), 5.0))
    sent.refused += n_records
    if len(sent.errors) < _SHOWN_ERRORS:
        sent.errors.append(f"{status} {text[:200].decode(errors='replace')}")
