"""Label values as numbers: plain ones, Go durations and sizes in bytes, as label filters and `| unwrap` read them."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import Utf8Column
from swarmscope.model.raw_memory import Int, address_of
from swarmscope.query.logql.json_text import byte_at

_NS_PER_S = 1e9
_MAX_DIGITS = 18
_DURATION_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)([^0-9.]+)")
_SIZE = re.compile(r"([0-9.,]+)\s*([a-zA-Z]*)\s*")
_NS = {"ns": 1.0, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "m": 60e9, "h": 3600e9}
_FACTORS = {
    "": 1.0, "b": 1.0,
    "kb": 1e3, "k": 1e3, "mb": 1e6, "m": 1e6, "gb": 1e9, "g": 1e9, "tb": 1e12, "t": 1e12, "pb": 1e15, "p": 1e15,
    "eb": 1e18, "e": 1e18,
    "kib": 2.0**10, "ki": 2.0**10, "mib": 2.0**20, "mi": 2.0**20, "gib": 2.0**30, "gi": 2.0**30,
    "tib": 2.0**40, "ti": 2.0**40, "pib": 2.0**50, "pi": 2.0**50, "eib": 2.0**60, "ei": 2.0**60,
}  # fmt: skip

# Takes a column [n]; returns the values [n] and which of them are none. Absent cells are none.
NumberReader = Callable[[Utf8Column], tuple[NDArray[np.float64], NDArray[np.bool_]]]


def read_numbers(column: Utf8Column) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Floats as Go's strconv.ParseFloat reads them: values [n] and which texts are none [n]."""
    values, status = _decimals(column.buffer, column.start, column.length)
    bad = status == _BAD
    # Slow path: more digits than fit 64 bits, exponents out of the exact range, words, hexadecimal.
    for row in np.flatnonzero(status == _HARD).tolist():
        try:
            values[row] = _go_float(column.text(row))
        except ValueError:
            bad[row] = True
    return values, bad


def read_durations(column: Utf8Column) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Seconds of Go durations ("1h2m3.5s"): values [n] and which texts are none [n]."""
    values, bad = _read_each(column, _go_duration_ns)
    return values / _NS_PER_S, bad


def read_sizes(column: Utf8Column) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Bytes of sizes with a unit ("5 MB", "1.5KiB"): values [n] and which texts are none [n]."""
    return _read_each(column, _size_bytes)


def _read_each(column: Utf8Column, read: Callable[[str], float]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Every different text is read once."""
    values, bad = np.zeros(len(column)), column.length < 0
    known: dict[bytes, float | None] = {}
    starts, lengths, buffer = column.start.tolist(), column.length.tolist(), column.buffer
    for row in np.flatnonzero(~bad).tolist():
        text = buffer[starts[row] : starts[row] + lengths[row]].tobytes()
        if text not in known:
            try:
                known[text] = read(text.decode())
            except ValueError:
                known[text] = None
        value = known[text]
        bad[row] = value is None
        values[row] = value or 0.0
    return values, bad


def _go_float(text: str) -> float:
    plain = text.strip("+-").lower()
    if plain in ("inf", "infinity", "nan"):
        return float(text)
    if plain.startswith("0x"):
        return float.fromhex(text)
    if text != text.strip() or "_" in text:
        raise ValueError(text)
    return float(text)


def _go_duration_ns(text: str) -> float:
    """https://pkg.go.dev/time#ParseDuration"""
    sign = -1.0 if text[:1] == "-" else 1.0
    rest = text[1:] if text[:1] in ("+", "-") else text
    if rest == "0":
        return 0.0
    if not rest:
        raise ValueError(text)
    total = 0.0
    while rest:
        part = _DURATION_PART.match(rest)
        if part is None or part[2] not in _NS:
            raise ValueError(text)
        total += float(part[1]) * _NS[part[2]]
        rest = rest[part.end() :]
    return sign * total


def _size_bytes(text: str) -> float:
    """A number, commas in it passed over, blanks, and a unit in any case. Fractions of a byte are cut off."""
    parts = _SIZE.fullmatch(text)
    if parts is None or parts[2].lower() not in _FACTORS:
        raise ValueError(text)
    return float(int(float(parts[1].replace(",", "")) * _FACTORS[parts[2].lower()]))


_GOOD, _BAD, _HARD = 0, 1, 2


@njit(nogil=True, cache=True)
def _decimals(
    buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Values [n] of plain decimals, exact where the status is _GOOD."""
    values, status = np.zeros(len(start)), np.zeros(len(start), np.int64)
    powers = np.ones(_MAX_DIGITS + 1)
    for k in range(1, len(powers)):  # exact up to 1e22
        powers[k] = powers[k - 1] * 10.0
    base = address_of(buffer)
    for row in range(len(start)):
        status[row] = _BAD
        if length[row] > 0:
            mantissa, decimals, outcome = _plain_decimal(base, start[row], start[row] + length[row])
            status[row] = outcome
            if outcome == _GOOD:
                # Both are exact in a double, so one division rounds once.
                values[row] = np.float64(mantissa) / powers[decimals]
    return values, status


@njit(nogil=True, cache=True)
def _plain_decimal(base: Int, at: Int, end: Int) -> tuple[Int, Int, Int]:
    """Mantissa, digits behind the point, status; _HARD for what is no plain decimal below 2**53."""
    negative = byte_at(base, at) == 0x2D
    if negative or byte_at(base, at) == 0x2B:
        at += 1
    mantissa, decimals, n_digits, seen_point = np.int64(0), np.int64(0), np.int64(0), False
    while at < end:
        byte = byte_at(base, at)
        if byte == 0x2E and not seen_point:
            seen_point = True
        elif 48 <= byte <= 57:
            if n_digits == _MAX_DIGITS:
                return mantissa, decimals, np.int64(_HARD)
            mantissa = mantissa * 10 + (byte - 48)
            n_digits += 1
            decimals += seen_point
        else:
            return mantissa, decimals, np.int64(_HARD)
        at += 1
    if n_digits == 0:
        return mantissa, decimals, np.int64(_BAD)
    if mantissa > 9007199254740992 or (mantissa == 0 and negative):
        return mantissa, decimals, np.int64(_HARD)
    return -mantissa if negative else mantissa, decimals, np.int64(_GOOD)
