from __future__ import annotations

import importlib

from swarmscope.receivers.loki.warm_up import KERNELS, warm_up
from tests.receivers.loki.conftest import T_NS, Pushes, Streams, as_json, as_protobuf

MODULES = (
    "loki.entry_kernel", "loki.json_kernel", "loki.json_decode", "wire.json_text", "wire.log_pairs", "wire.utf8",
    "wire.key_hash", "wire.scan_kernel",
)  # fmt: skip
STREAMS: Streams = [({"a": "b"}, [(T_NS, "x\n", {"k": "v", "trace_id": "0af7651916cd43dd8448eb211c80319c"})])]


def signatures() -> dict[str, int]:
    found = {}
    for name in MODULES:
        module = importlib.import_module(f"swarmscope.receivers.{name}")
        for attribute, value in vars(module).items():
            if hasattr(value, "signatures"):
                found[f"{name}.{attribute}"] = len(value.signatures)
    return found


def test_nothing_is_compiled_after_warming_up(pushes: Pushes) -> None:
    told: list[str] = []
    warm_up(told.append)
    assert tuple(told) == KERNELS
    before = signatures()
    for pack, in_json in ((as_protobuf, False), (as_json, True)):
        body = pack(STREAMS)
        for damaged in (body, body.replace(b"x", b"\xff")):
            pushes.send(damaged, as_json=in_json)
    assert signatures() == before
