"""Debian's Prometheus as an oracle: the same samples in, the same queries asked."""

from __future__ import annotations

import contextlib
import json
import socket
import struct
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cramjam


def _varint(number: int) -> bytes:
    out = bytearray()
    number &= (1 << 64) - 1
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(payload)) + payload


def write_request(series: list[tuple[dict[str, str], list[tuple[int, float]]]]) -> bytes:
    """A remote-write 1.0 body; field numbers from prometheus/prompb/remote.proto."""
    body = b""
    for labels, samples in series:
        pairs = b"".join(
            _field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in sorted(labels.items())
        )
        points = b"".join(
            _field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(ts)) for ts, value in samples
        )
        body += _field(1, pairs + points)
    return bytes(cramjam.snappy.compress_raw(body))


class Peer:
    """A running Prometheus."""

    def __init__(self, address: str) -> None:
        self._address = address

    def write(self, series: list[tuple[dict[str, str], list[tuple[int, float]]]]) -> None:
        request = urllib.request.Request(
            f"{self._address}/api/v1/write", write_request(series), {"Content-Encoding": "snappy"}
        )
        urllib.request.urlopen(request).read()

    def ask(self, path: str, **parameters: str) -> dict[str, Any]:
        data = urllib.parse.urlencode(parameters).encode()
        try:
            with urllib.request.urlopen(f"{self._address}/api/v1/{path}", data) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            return json.load(error)


@contextlib.contextmanager
def running_prometheus(folder: Path) -> Iterator[Peer]:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    (folder / "prometheus.yml").write_text("global: {}\n")
    command = [
        "prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}", "--web.enable-remote-write-receiver",
        "--enable-feature=promql-at-modifier,promql-negative-offset", "--log.level=error",
        "--storage.tsdb.retention.time=100y",
    ]  # fmt: skip
    with (folder / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            peer = Peer(f"http://127.0.0.1:{port}")
            deadline = time.monotonic() + 30
            while True:
                with contextlib.suppress(OSError, ValueError):  # not there yet, or there with a page that is no JSON
                    if peer.ask("query", query="1")["status"] == "success":
                        break
                assert time.monotonic() < deadline, (folder / "log").read_text()
                time.sleep(0.1)
            yield peer
        finally:
            process.terminate()
