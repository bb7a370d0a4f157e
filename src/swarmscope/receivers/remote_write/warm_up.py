"""Compiles, or loads from the cache, remote write's kernels, before the first request needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from swarmscope.receivers.empty_index import EmptyIndex
from swarmscope.receivers.remote_write.decode import DecodeContext, decode_write_request
from swarmscope.receivers.remote_write.schema import V1, V2, message_class

KERNELS = ("remote write 1", "remote write 2")


def _tiny_request(proto: str) -> bytes:
    """One series {__name__="a"} with a sample, a histogram and an exemplar, all empty."""
    name: dict[str, Any] = {"labels_refs": [1, 2]} if proto == V2 else {"labels": [{"name": "__name__", "value": "a"}]}
    symbols = {"symbols": ["", "__name__", "a"]} if proto == V2 else {}
    series = name | {"samples": [{}], "histograms": [{}], "exemplars": [{}]}
    body: bytes = message_class(proto)(timeseries=[series], **symbols).SerializeToString()
    return body


def warm_up(progress: Callable[[str], None]) -> None:
    """Decode one tiny request of each version; `progress` is told the name (one of KERNELS) beforehand."""
    for name, proto in zip(KERNELS, (V1, V2), strict=True):
        progress(name)
        body = _tiny_request(proto)
        decode_write_request(np.frombuffer(body, np.uint8), proto, DecodeContext(EmptyIndex()))
