from __future__ import annotations

import importlib

import numpy as np

from swarmscope.receivers.jaeger.decode import BatchDecoder
from swarmscope.receivers.jaeger.warm_up import KERNELS, warm_up
from tests.receivers.jaeger.batches import batch, span
from tests.receivers.jaeger.test_fuzz import GOOD
from tests.receivers.jaeger.thrift_writer import binary, compact

MODULES = (
    "receivers.wire.thrift_kernel", "receivers.wire.attribute_names", "receivers.wire.utf8", "receivers.wire.key_hash",
    "receivers.wire.scan_kernel", "model.attributes",
)  # fmt: skip


def signatures() -> dict[str, int]:
    found = {}
    for name in MODULES:
        for attribute, value in vars(importlib.import_module(f"swarmscope.{name}")).items():
            if hasattr(value, "signatures"):
                found[f"{name}.{attribute}"] = len(value.signatures)
    return found


def test_nothing_is_compiled_after_warming_up() -> None:
    told: list[str] = []
    warm_up(told.append)
    assert tuple(told) == KERNELS
    before = signatures()
    decoder = BatchDecoder()
    for struct in (GOOD, batch([]), batch([span()]), batch([span(name=b"\xff", tags={"otel.status_code": "OK"})])):
        for write in (binary, compact):
            body = write(struct)
            for buffer in (np.frombuffer(body, np.uint8), np.frombuffer(body, np.uint8).copy()):
                decoder.decode(buffer, "t", compact=write is compact)
    assert signatures() == before
