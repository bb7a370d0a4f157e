"""Peak memory of four hostile bodies at once: prints bytes with a room of 550 MiB, and with one without end."""

import contextlib
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import SwarmscopeError
from swarmscope.receivers.otlp.export import OtlpMetrics
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.remote_write.routes import RemoteWriteReceiver
from swarmscope.receivers.remote_write.schema import V2
from swarmscope.receivers.remote_write.settings import RemoteWriteSettings
from swarmscope.receivers.wire.decode_room import DecodeRoom
from swarmscope.receivers.wire.decompression import IDENTITY
from swarmscope.testing.sinks import DictSeriesIndex

MIB = 1 << 20


class NullSink:
    def write_metrics(self, batch):
        return Receipt(samples=batch.n_samples)


def varint(number):
    out = bytearray()
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def inside(field, body):
    return varint(field << 3 | 2) + varint(len(body)) + body


def body_of(protocol, n):
    if protocol == "otlp":  # Metric.gauge.data_points[0].attributes, all empty
        points = inside(1, b"a") + inside(5, inside(1, b"\x3a\x00" * (n // 2)))
        return inside(1, inside(2, inside(2, points)))
    # Version 2: a series of so many label references
    return b"\x22\x00" + inside(4, b"__name__") + inside(4, b"a") + inside(5, inside(1, b"\x01\x02" * (n // 2)))


def decoder_of(protocol, room):
    index = DictSeriesIndex()
    if protocol == "otlp":
        metrics = OtlpMetrics(OtlpSettings(), NullSink(), index, room=room)
        return lambda body: metrics.export(np.frombuffer(body, np.uint8), "t")
    receiver = RemoteWriteReceiver(RemoteWriteSettings(), NullSink(), index, None, room)
    return lambda body: receiver.process(body, V2, IDENTITY, "t")


def status_bytes(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(name))


def peak_of(decode, body):
    def attempt(_):
        with contextlib.suppress(SwarmscopeError):
            decode(body)

    Path("/proc/self/clear_refs").write_text("5")
    before = status_bytes("VmRSS")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(attempt, range(4)))
    return status_bytes("VmHWM") - before


def main(protocol):
    small, large = body_of(protocol, 2000), body_of(protocol, 8 * MIB)
    peaks = []
    for room in (DecodeRoom(550 * MIB, max_wait_s=60), DecodeRoom(1 << 50)):
        decode = decoder_of(protocol, room)
        with contextlib.suppress(SwarmscopeError):
            decode(small)  # compiles
        peaks.append(peak_of(decode, large))
    print(*peaks)


main(sys.argv[1])
