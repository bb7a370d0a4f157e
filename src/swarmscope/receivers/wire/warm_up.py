"""Compiles, or loads from the cache, everything compiled that receivers share, before the first request needs it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from google.protobuf.descriptor_pb2 import FileDescriptorSet

from swarmscope.model.labels import Utf8Column
from swarmscope.receivers.wire.key_hash import derive_secrets, hash_spans
from swarmscope.receivers.wire.message_schema import MessageSchema
from swarmscope.receivers.wire.scanner import scan_message
from swarmscope.receivers.wire.utf8 import invalid_utf8

KERNELS = ("protobuf scanner", "key hash", "UTF-8 check")


def warm_up(progress: Callable[[str], None]) -> None:
    """Run each kernel once on next to nothing; `progress` is told its name (one of KERNELS) beforehand."""
    nothing = np.zeros(1, np.int64)
    progress(KERNELS[0])
    scan_message(MessageSchema.from_descriptor(FileDescriptorSet.DESCRIPTOR, {"FileDescriptorProto": ("name",)}), b"")
    progress(KERNELS[1])
    # A body is read-only, text made by us is not: two types to Numba.
    for buffer in (np.zeros(1, np.uint8), np.frombuffer(b"a", np.uint8)):
        hash_spans(buffer, nothing, nothing, derive_secrets(0, 0))
    progress(KERNELS[2])
    invalid_utf8(Utf8Column(np.zeros(1, np.uint8), nothing, nothing))
