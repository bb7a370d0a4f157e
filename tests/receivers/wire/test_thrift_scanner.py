from __future__ import annotations

import struct

import numpy as np
import pytest

from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.receivers.wire.thrift_kernel import MAX_DEPTH
from swarmscope.receivers.wire.thrift_scanner import ThriftScan, ThriftSchema, scan_struct

SCHEMA = ThriftSchema(
    {
        "Leaf": "name string 1; on bool 2; small byte 3; half i16 4; whole i32 5; wide i64 6; real double 20",
        "Root": "leaf Leaf 1; leaves *Leaf 2; number i32 3",
    }
)
# Leaf{1: "ab", 2: true, 3: -2, 4: -300, 5: -70000, 6: -2^40, 20: 1.5}, by hand from the protocols' pages.
BINARY_LEAF = bytes.fromhex(
    "0b0001" "00000002" "6162" "020002" "01" "030003" "fe" "060004" "fed4" "080005" "fffeee90"
    "0a0006" "ffffff0000000000" "040014" "3ff8000000000000" "00"
)  # fmt: skip
# Steps of ids and types in one byte; zigzag varints; doubles little-endian.
COMPACT_LEAF = bytes.fromhex(
    "18" "02" "6162" "11" "13" "fe" "14" "d704" "15" "dfc508" "16" "ffffffffff3f" "e7" "000000000000f83f" "00"
)  # fmt: skip


def scan(body: bytes, *, compact: bool) -> ThriftScan:
    return scan_struct(SCHEMA, "Root", np.frombuffer(body, np.uint8), compact=compact)


@pytest.mark.parametrize("compact", [False, True])
def test_every_type(compact: bool) -> None:
    body = b"\x1c" + COMPACT_LEAF + b"\0" if compact else b"\x0c\0\x01" + BINARY_LEAF + b"\0"
    leaves = scan(body, compact=compact).table("Leaf")
    assert leaves.n_rows == 1
    assert leaves.texts("name").to_strings() == ["ab"]
    numbers = [int(leaves.ints(name)[0]) for name in ("on", "small", "half", "whole", "wide")]
    assert numbers == [1, -2, -300, -70_000, -(1 << 40)]
    assert struct.unpack("<d", leaves.ints("real").tobytes()) == (1.5,)


@pytest.mark.parametrize("compact", [False, True])
@pytest.mark.parametrize("count", [0, 1, 14, 15, 300])
def test_lists(compact: bool, count: int) -> None:
    if compact:
        size = bytes([count]) if count < 128 else bytes([count & 127 | 128, count >> 7])
        body = b"\x29" + (bytes([count << 4 | 12]) if count < 15 else b"\xfc" + size) + COMPACT_LEAF * count + b"\0"
    else:
        body = b"\x0f\0\x02\x0c" + count.to_bytes(4, "big") + BINARY_LEAF * count + b"\0"
    found = scan(body, compact=compact)
    assert found.children("Root", "leaves").offsets.tolist() == [0, count]
    assert found.children("Root", "leaf").rows.tolist() == []
    assert found.table("Leaf").ints("half").tolist() == [-300] * count


def test_several_roots_know_their_own() -> None:
    one = b"\x0f\0\x02\x0c\0\0\0\1" + BINARY_LEAF + b"\x08\0\x03\0\0\0\x07\0"
    body = np.frombuffer(b"xx" + one + b"yy" + b"\0" + one, np.uint8)
    starts = np.array([2, 4 + len(one), 5 + len(one)])
    ends = np.array([2 + len(one), 5 + len(one), len(body)])
    found = scan_struct(SCHEMA, "Root", body, compact=False, spans=(starts, ends))
    assert found.table("Root").ints("number").tolist() == [7, 0, 7]
    assert found.children("Root", "leaves").offsets.tolist() == [0, 1, 1, 2]
    # What one lacks is not taken from the next.
    with pytest.raises(MalformedInputError, match="the bytes end inside a value"):
        scan_struct(SCHEMA, "Root", body, compact=False, spans=(starts, ends - [1, 0, 0]))


def test_depth() -> None:
    deepest = MAX_DEPTH - 1
    nested = b"\x0c\0\x09" * deepest + b"\0" * deepest + b"\0"
    assert scan(nested, compact=False).table("Root").n_rows == 1
    with pytest.raises(MalformedInputError, match="nested too deeply"):
        scan(b"\x0c\0\x09" + nested + b"\0", compact=False)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b"\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "a varint is longer than 64 bits|reaches beyond the end"),
        (b"\x29\xfc\x64", "Root.leaves at byte 0: a length or size reaches beyond the end"),
        (b"\x1e", "there is no such type"),
        (b"\x9b\x7f\x11", "a length or size reaches beyond the end"),
        (b"\x97\0\0\0", "the bytes end inside a value"),
    ],
)
def test_malformed_compact_structs(body: bytes, text: str) -> None:
    with pytest.raises(MalformedInputError, match=text):
        scan(body, compact=True)


def test_rows_are_claimed_before_they_get_room() -> None:
    body = np.frombuffer(b"\x29\xfc\xe8\x07" + bytes(1000) + b"\0", np.uint8)
    told: list[dict[str, int]] = []

    def refuse(counts: dict[str, int]) -> None:
        told.append(counts)
        raise LimitExceededError("too many", limit="l")

    with pytest.raises(LimitExceededError):
        scan_struct(SCHEMA, "Root", body, compact=True, claim_rows=refuse)
    assert told == [{"Leaf": 1000, "Root": 1}]


def test_a_column_of_another_kind() -> None:
    with pytest.raises(TypeError, match="wide is no string"):
        scan(b"\0", compact=False).table("Leaf").texts("wide")
