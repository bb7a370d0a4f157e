"""Compiles, or loads from the cache, the kernels of Loki's push protocol, before the first request needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from swarmscope.receivers.empty_index import EmptyIndex
from swarmscope.receivers.loki.decode import PushContext, decode_push
from swarmscope.receivers.loki.schema import push_request_class

KERNELS = ("Loki push in protobuf", "Loki push in JSON")
# Two texts are not UTF-8, one is escaped: repairing is compiled too.
_JSON = b'{"streams":[{"stream":{"a":"b"},"values":[["1","x\\n\xff",{"k":"v\xff"}]]}]}'


def _to_request() -> bytes:
    request: Any = push_request_class()()
    entry = request.streams.add(labels='{a="b"}').entries.add(line="line")
    entry.timestamp.seconds = 1
    entry.structuredMetadata.add(name="name", value="\x7f\x7f")
    body: bytes = request.SerializeToString()
    return body.replace(b"\x7f\x7f", b"v\xff")


def warm_up(progress: Callable[[str], None]) -> None:
    """Decode one small request of each kind; `progress` is told the name (one of KERNELS) beforehand."""
    for name, body, as_json in zip(KERNELS, (_to_request(), _JSON), (False, True), strict=True):
        progress(name)
        decode_push(np.frombuffer(body, np.uint8), PushContext(EmptyIndex(), "warm-up"), as_json=as_json)
