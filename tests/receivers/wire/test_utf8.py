"""The UTF-8 check against Python's own decoder."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.model.labels import Utf8Column
from swarmscope.receivers.wire.utf8 import invalid_utf8
from tests.portion import portion

import numpy as np  # isort: skip


def invalid(texts):
    length = np.array([len(text) for text in texts], np.int64)
    column = Utf8Column(np.frombuffer(b"".join(texts) + b"\0", np.uint8), np.cumsum(length) - length, length)
    return invalid_utf8(column).tolist()


def python_says_invalid(text):
    try:
        text.decode()
    except UnicodeDecodeError:
        return True
    return False


@settings(max_examples=portion(500, 166), deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=30), st.text(max_size=30).map(lambda text: text.encode())), min_size=1))
def test_agrees_with_python(texts):
    assert invalid(texts) == [python_says_invalid(text) for text in texts]


@pytest.mark.parametrize("prefix", [b"", b"1234567", b"12345678", b"123456789abcdef"])
def test_agrees_on_every_pair_of_bytes(prefix):
    texts = [prefix + bytes([first, second]) for first in range(256) for second in range(256)]
    assert invalid(texts) == [python_says_invalid(text) for text in texts]


def test_agrees_on_the_edges_of_the_table():
    leads = [0xC0, 0xC1, 0xC2, 0xE0, 0xED, 0xEF, 0xF0, 0xF4, 0xF5]
    seconds = [0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0]
    texts = [
        bytes([lead, second]) + tail for lead in leads for second in seconds for tail in (b"\x80", b"\x80\x80", b"")
    ]
    assert invalid(texts) == [python_says_invalid(text) for text in texts]
