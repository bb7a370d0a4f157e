from __future__ import annotations

import importlib

import numpy as np

from swarmscope.receivers.otlp.span_decode import TracesDecoder
from swarmscope.receivers.otlp.warm_up import to_span_request, warm_up
from swarmscope.testing.sinks import RecordingSpanSink

MODULES = (
    "otlp.attribute_walk",
    "otlp.span_kernel",
    "wire.attribute_names",
    "wire.utf8",
    "wire.key_hash",
    "wire.scan_kernel",
)


def signatures() -> dict[str, int]:
    found = {}
    for name in MODULES:
        module = importlib.import_module(f"swarmscope.receivers.{name}")
        for attribute, value in vars(module).items():
            if hasattr(value, "signatures"):
                found[f"{name}.{attribute}"] = len(value.signatures)
    return found


def test_nothing_is_compiled_after_warming_up() -> None:
    warm_up()
    before = signatures()
    sink = RecordingSpanSink()
    decoder = TracesDecoder()
    body = to_span_request()
    # Texts that need repair and none, values that are no strings and none; a body of ours may be writable.
    for data in (body, body.replace(b"\xff\xfe", b"ok"), b""):
        for buffer in (np.frombuffer(data, np.uint8), np.frombuffer(data, np.uint8).copy()):
            sink.write_spans(decoder.decode(buffer, "default").batch)
    assert signatures() == before
    assert len(sink.spans()) == 8
