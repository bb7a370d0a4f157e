"""Compiles, or loads from the cache, the kernels of Zipkin's protocols, before the first request needs them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from swarmscope.receivers.wire.decode_room import DecodeRoom
from swarmscope.receivers.zipkin.decode import Format, SpansDecoder
from swarmscope.receivers.zipkin.settings import ZipkinSettings

KERNELS = ("Zipkin spans in JSON", "Zipkin spans in protobuf")
_JSON = b'[{"traceId":"1","id":"1","tags":{"otel.scope.name":"a","otel.status_code":"OK"}}]'
# spans{trace_id, id, name: not UTF-8, so repairing is compiled too}
_PROTOBUF = b"\x0a\x17\x0a\x08aaaaaaaa\x1a\x08aaaaaaaa\x2a\x01\xff"


def warm_up(progress: Callable[[str], None]) -> None:
    """Decode one small request of each kind; `progress` is told the name (one of KERNELS) beforehand."""
    decoder = SpansDecoder(ZipkinSettings())
    for name, form, body in zip(KERNELS, (Format.JSON_V2, Format.PROTOBUF), (_JSON, _PROTOBUF), strict=True):
        progress(name)
        with DecodeRoom().taken() as share:
            decoder.decode(form, np.frombuffer(body, np.uint8), "warm-up", share)
