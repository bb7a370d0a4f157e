"""Needles against Python's own strings, in texts shorter and longer than what is compared at once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.model.byte_search import contains
from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import LANES
from tests.portion import portion

_FEW = st.text(alphabet="ab c-", max_size=24)
_MANY = st.text(alphabet="ab", max_size=4 * LANES)


@settings(max_examples=portion(300, 100), deadline=None)
@given(st.lists(_FEW | _MANY, min_size=1, max_size=6), st.text(alphabet="ab c-", max_size=11))
def test_contains_is_pythons_in(texts: list[str], needle: str) -> None:
    found = contains(Utf8Column.from_strings(texts), needle.encode())
    assert found.tolist() == [needle in text for text in texts]


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 31, 32, 33, 64, 65])
@pytest.mark.parametrize("n_bytes", [LANES - 1, LANES, LANES + 1, 2 * LANES, 3 * LANES + 5, 200])
def test_a_needle_at_every_place(size: int, n_bytes: int) -> None:
    needle = bytes(range(1, size + 1))
    texts = [b"." * at + needle + b"." * (n_bytes - at - size) for at in range(n_bytes - size + 1)]
    # What is behind a text's end counts for nothing.
    texts += [b"." * (n_bytes - size + 1) + needle[:-1], needle[1:] + b"." * n_bytes]
    # Between two texts stand the needle's own bytes, so a search that leaves its text finds some.
    joined = needle[-1:] + needle[-1:].join(texts) + needle[-1:]
    lengths = np.array([len(text) for text in texts], np.int64)
    starts = 1 + np.cumsum(lengths + 1) - (lengths + 1)
    found = contains(Utf8Column(np.frombuffer(joined, np.uint8), starts, lengths), needle)
    assert found.tolist() == [needle in text for text in texts]
