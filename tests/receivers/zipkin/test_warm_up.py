from __future__ import annotations

import importlib

from swarmscope.receivers.zipkin.decode import Format
from swarmscope.receivers.zipkin.warm_up import KERNELS, warm_up
from tests.receivers.zipkin.test_decode import push
from tests.receivers.zipkin.test_fuzz import GOOD

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
    for form, body in GOOD.items():
        push(body, form)
        push(body.replace(b"work", b"wor\xff").replace(b"GET", b"G\xffT"), form)
    for body in (b"[]", b'[{"traceId":"1","id":"1"}]'):
        push(body)
    push(b"", Format.PROTOBUF)
    assert signatures() == before
