"""Numbers as text, against repr() (an independent shortest printer) and hand-written cases."""

from __future__ import annotations

import struct
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmscope.api.number_text import double_text, double_texts, timestamp_text
from tests.portion import portion


def expected(value: float) -> str:
    """What Go's strconv gives in Prometheus' two formats, out of Python's own shortest digits."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    text = "".join(map(str, digits))
    minus = "-" if sign else ""
    if value == 0:
        return minus + "0"
    if abs(value) < 1e-6 or abs(value) >= 1e21:
        power = exponent + len(text) - 1
        mantissa = text[0] + ("." + text[1:] if len(text) > 1 else "")
        return f"{minus}{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    plain = format(Decimal(repr(abs(value))), "f")
    return minus + (plain.rstrip("0").rstrip(".") if "." in plain else plain)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (-1.5, "-1.5"),
        (0.1, "0.1"),
        (100.5, "100.5"),
        (1e-6, "0.000001"),
        (9.5367431640625e-07, "9.5367431640625e-07"),
        (1e-7, "1e-07"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (1.5e300, "1.5e+300"),
        (5e-324, "5e-324"),
        (1e-323, "1e-323"),
        (1.7976931348623157e308, "1.7976931348623157e+308"),
        (2.2250738585072014e-308, "2.2250738585072014e-308"),
        (9007199254740993.0, "9007199254740992"),
        (123456789.125, "123456789.125"),
        (1e23, "1e+23"),
        (float("nan"), "NaN"),
        (float("inf"), "+Inf"),
        (float("-inf"), "-Inf"),
    ],
)
def test_by_hand(value: float, text: str) -> None:
    assert double_text(value) == text


@settings(max_examples=portion(3000, 600))
@given(st.integers(0, 2**64 - 1))
def test_any_bits(bits: int) -> None:
    value = struct.unpack("<d", struct.pack("<Q", bits))[0]
    assert double_text(value) == expected(value)


@settings(max_examples=portion(2000, 400))
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_reads_back_the_same(value: float) -> None:
    text = double_text(value)
    assert struct.pack("<d", float(text)) == struct.pack("<d", value)
    assert text == expected(value)


@settings(max_examples=portion(1000, 200))
@given(st.integers(-(10**9), 10**9), st.integers(0, 12))
def test_short_decimals(number: int, places: int) -> None:
    value = number / 10**places
    assert double_text(value) == expected(value)


def test_powers_of_two_and_their_neighbours() -> None:
    powers = 2.0 ** np.arange(-1074, 1024)
    values = np.concatenate([powers, np.nextafter(powers, 0), np.nextafter(powers, np.inf), -powers])
    assert double_texts(values) == [expected(value) for value in values.tolist()]


@pytest.mark.parametrize(
    ("ts_ms", "text"),
    [
        (0, "0"),
        (4000, "4"),
        (1435781430781, "1435781430.781"),
        (1435781430780, "1435781430.780"),
        (1435781430007, "1435781430.007"),
        (-1500, "-1.500"),
        (-1, "-0.001"),
    ],
)
def test_timestamps(ts_ms: int, text: str) -> None:
    assert timestamp_text(ts_ms) == text
