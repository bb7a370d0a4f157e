"""Compiles, or loads from the cache, the kernels of Jaeger's protocols, before the first request needs them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from swarmscope.receivers.jaeger.decode import BatchDecoder

KERNELS = ("Jaeger batches in Thrift",)
# In the compact protocol: Batch{process, spans: [Span{operationName: not UTF-8, so repairing is compiled too, tags of
# which one names the scope and one tells an error, one log}]}.
_TAGS = b"\x2c\x18\x0fotel.scope.name\x28\x01a\x00\x18\x05error\x28\x01a\x00"
_BATCH = b"\x1c\x00\x19\x1c\x58\x01\xff\x59" + _TAGS + b"\x19\x1c\x00\x00\x00"


def warm_up(progress: Callable[[str], None]) -> None:
    """Decode a small batch; `progress` is told the name (one of KERNELS) beforehand."""
    progress(KERNELS[0])
    BatchDecoder().decode(np.frombuffer(_BATCH, np.uint8), "warm-up", compact=True)
