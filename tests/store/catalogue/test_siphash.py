"""SipHash-1-3 against CPython's own: with PYTHONHASHSEED=0 `hash(bytes)` is SipHash-1-3 under an all-zero key."""

import json
import subprocess
import sys

import numpy as np
import pytest

from swarmscope.model.byte_ranges import bytes_equal, bytes_less
from swarmscope.store.catalogue.siphash import siphash_bytes
from swarmscope.store.catalogue.symbols import address_of

ZERO = np.uint64(0)


def digest(data: bytes) -> int:
    buffer = np.frombuffer(data or b"\0", np.uint8)
    return int(siphash_bytes(address_of(buffer), len(data), ZERO, ZERO))


@pytest.mark.skipif(sys.hash_info.algorithm != "siphash13", reason="this Python hashes bytes in another way")
def test_same_digests_as_cpython():
    texts = ["x" * n for n in range(1, 40)] + ["__name__", "pod", "agent-00017", "é", "\x00", "a\x00b"]
    program = "import json,sys; print(json.dumps([hash(t.encode()) for t in json.load(sys.stdin)]))"
    answer = subprocess.run(
        [sys.executable, "-c", program],
        input=json.dumps(texts),
        env={"PYTHONHASHSEED": "0"},
        capture_output=True,
        text=True,
        check=True,
    )
    expected = [value % 2**64 for value in json.loads(answer.stdout)]
    assert [digest(text.encode()) for text in texts] == expected


def test_key_changes_the_digest():
    buffer = np.frombuffer(b"abc", np.uint8)
    digests = {
        int(siphash_bytes(address_of(buffer), 3, np.uint64(a), np.uint64(b))) for a in range(4) for b in range(4)
    }
    assert len(digests) == 16


@pytest.mark.parametrize(
    ("left", "right"),
    [(b"a", b"b"), (b"a", b"ab"), (b"12345678a", b"12345678b"), (b"z", b"\xc3\xa9"), (b"A", b"_"), (b"aa", b"b")],
)
def test_order_and_equality(left, right):
    a, b = np.frombuffer(left, np.uint8), np.frombuffer(right, np.uint8)
    assert bytes_less(address_of(a), len(left), address_of(b), len(right))
    assert not bytes_less(address_of(b), len(right), address_of(a), len(left))
    assert not bytes_less(address_of(a), len(left), address_of(a), len(left))
    assert bytes_equal(address_of(a), address_of(np.frombuffer(left, np.uint8)), len(left))
    if len(left) == len(right):
        assert not bytes_equal(address_of(a), address_of(b), len(left))
