"""Whatever comes in, the decoder answers with spans or with one of the errors that it names."""

from __future__ import annotations

import random
import resource
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.model.errors import SwarmscopeError
from swarmscope.receivers.jaeger.decode import BatchDecoder
from swarmscope.testing.plain_spans import from_batch
from tests.portion import portion
from tests.receivers.jaeger.batches import T_US, Write, batch, log, reference, span
from tests.receivers.jaeger.thrift_writer import binary, compact

ROUNDS = 10_000
FIELDS = span(
    (1, 2), 3, 4, references=[reference(0, (1, 2), 4), reference(1, (1, 2), 5)], flags=3,
    tags={"error": True, "span.kind": "server", "otel.scope.name": "s", "n": 7, "f": 0.5, "raw": b"\1", "w": "x" * 20},
    logs=[log(T_US, {"event": "e", "n": 1}), log(T_US, {"message": "m"})],
)  # fmt: skip
GOOD = batch([FIELDS] * 3, "shop", {"host": "h", "cores": 8})
DECODER = BatchDecoder(1)


def decode(body: bytes, *, is_compact: bool) -> int:
    try:
        decoded = DECODER.decode(np.frombuffer(body, np.uint8), "t", compact=is_compact)
    except SwarmscopeError:
        return 0
    return len(from_batch(decoded.batch))


@pytest.mark.parametrize("write", [binary, compact])
def test_mutated_bodies(write: Write) -> None:
    source, taken = random.Random(4), 0
    good = write(GOOD)
    for _ in range(ROUNDS):
        changed = bytearray(good)
        for _ in range(source.randrange(1, 4)):
            at = source.randrange(len(changed))
            if source.random() < 0.7:
                changed[at] = source.randrange(256)
            elif source.random() < 0.5:
                del changed[at : at + source.randrange(1, 9)]
            else:
                changed[at:at] = source.randbytes(source.randrange(1, 9))
        taken += decode(bytes(changed), is_compact=write is compact)
    assert taken > ROUNDS // 10


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=portion(2000, 60), deadline=None)
def test_noise(body: bytes, is_compact: bool) -> None:
    decode(body, is_compact=is_compact)


@pytest.mark.parametrize("write", [binary, compact])
def test_every_cut(write: Write) -> None:
    good = write(GOOD)
    assert [decode(good[:end], is_compact=write is compact) for end in range(len(good))] == [0] * len(good)
    assert decode(good, is_compact=write is compact) == 3


def test_dense_bodies_are_bounded() -> None:
    # Structs of one byte, as many as a body holds: lists of empty spans, tags and logs.
    head: dict[str, Any] = {
        "spans": b"\x1c\0\x19\xfc", "tags": b"\x1c\0\x19\x1c\xa9\xfc", "logs": b"\x1c\0\x19\x1c\xb9\xfc"
    }  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    n = 1 << 20
    size = bytes([n & 0x7F | 0x80, n >> 7 & 0x7F | 0x80, n >> 14])
    for start in head.values():
        decode(start + size + bytes(n) + b"\0\0\0", is_compact=True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1500 << 10
