"""Texts as numbers, durations and sizes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.number_texts import NumberReader, read_durations, read_numbers, read_sizes
from tests.portion import portion


def _read(reader: NumberReader, *texts: str) -> list[float | None]:
    values, bad = reader(Utf8Column.from_strings(list(texts)))
    return [None if wrong else value for value, wrong in zip(values.tolist(), bad.tolist(), strict=True)]


@settings(max_examples=portion(400, 133), deadline=None)
@given(st.floats(allow_nan=False), st.sampled_from(["{!r}", "{:.3f}", "{:e}", "{:g}"]))
def test_floats_are_pythons(value: float, form: str) -> None:
    text = form.format(value)
    assert _read(read_numbers, text) == [float(text)]


@pytest.mark.parametrize("text", ["", "-", ".", "1.2.3", "abc", "1a", " 1", "1 ", "1_000", "--1", "0x"])
def test_what_is_no_number(text: str) -> None:
    assert _read(read_numbers, text, "1") == [None, 1.0]


def test_words_and_signs() -> None:
    assert _read(read_numbers, "+5", "-0", "Inf", "-inf", ".5", "5.") == [5.0, 0.0, math.inf, -math.inf, 0.5, 5.0]
    (nan,) = _read(read_numbers, "NaN")
    assert nan is not None
    assert math.isnan(nan)


def test_absent_cells_are_no_numbers() -> None:
    column = Utf8Column.from_strings(["1", "2"])
    for reader in (read_numbers, read_durations, read_sizes):
        _, bad = reader(Utf8Column(column.buffer, column.start, np.array([-1, 1])))
        assert bad[0]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1.0), ("250ms", 0.25), ("1h2m3.5s", 3723.5), ("-1.5h", -5400.0), ("3us", 3e-6), ("3µs", 3e-6),
        ("0", 0.0), ("", None), ("5", None), ("1d", None), ("s", None), ("1s 2s", None),
    ],
)  # fmt: skip
def test_durations(text: str, seconds: float | None) -> None:
    assert _read(read_durations, text) == [seconds]


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("42", 42.0), ("42b", 42.0), ("5 MB", 5e6), ("1.5KiB", 1536.0), ("20kb", 20e3), ("1GiB", 2.0**30),
        ("1,000 B", 1000.0), ("", None), ("KB", None), ("5 XB", None), ("-5B", None),
    ],
)  # fmt: skip
def test_sizes(text: str, size: float | None) -> None:
    assert _read(read_sizes, text) == [size]
