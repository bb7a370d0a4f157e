"""Reads Prometheus chunks bit by bit, written from tsdb/docs/format/chunks.md alone: the encoders' counterpart."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

WIDTHS = (3, 6, 9, 12, 18, 25, 56, 64)


class Bits:
    """Most significant bit first."""

    def __init__(self, data: bytes) -> None:
        self.text = "".join(f"{byte:08b}" for byte in data)
        self.at = 0

    def take(self, width: int) -> int:
        piece = self.text[self.at : self.at + width]
        assert len(piece) == width, "ran over the end"
        self.at += width
        return int(piece, 2) if piece else 0

    def finish(self) -> None:
        """Nothing but padding is left: at most a part of a byte, and the empty byte that Prometheus may hold ready."""
        assert len(self.text) - self.at < 16
        assert "1" not in self.text[self.at :]

    def signed(self, width: int) -> int:
        number = self.take(width)
        return number - (1 << width) if number > 1 << (width - 1) else number

    def double(self) -> float:
        return struct.unpack(">d", self.take(64).to_bytes(8, "big"))[0]

    def uvarint(self) -> int:
        number = shift = 0
        while True:
            byte = self.take(8)
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    def varint(self) -> int:
        number = self.uvarint()
        return number >> 1 ^ -(number & 1)

    def prefix(self, most: int) -> int:
        ones = 0
        while ones < most and self.take(1):
            ones += 1
        return ones

    def varbit_int(self) -> int:
        ones = self.prefix(8)
        if ones == 8:
            number = self.take(64)
            return number - (1 << 64) if number >> 63 else number
        return self.signed(WIDTHS[ones - 1]) if ones else 0

    def varbit_uint(self) -> int:
        ones = self.prefix(8)
        return self.take(WIDTHS[ones - 1]) if ones else 0

    def time_varbit(self) -> int:
        ones = self.prefix(4)
        if ones == 4:
            number = self.take(64)
            return number - (1 << 64) if number >> 63 else number
        return self.signed((14, 17, 20)[ones - 1]) if ones else 0


class Xor:
    """A double that follows its predecessor."""

    def __init__(self, first: int) -> None:
        self.bits = first
        self.window = (0, 0)

    def follow(self, bits: Bits) -> int:
        if bits.take(1):
            if bits.take(1):
                leading = bits.take(5)
                width = bits.take(6) or 64
                self.window = (leading, 64 - leading - width)
            leading, trailing = self.window
            self.bits ^= bits.take(64 - leading - trailing) << trailing
        return self.bits


def read_xor(data: bytes) -> list[tuple[int, int]]:
    """(time stamp, bits of the value) of each sample."""
    bits = Bits(data)
    count = bits.take(16)
    ts, delta = bits.varint(), 0
    value = Xor(bits.take(64))
    samples = [(ts, value.bits)]
    for number in range(1, count):
        delta = bits.uvarint() if number == 1 else delta + bits.time_varbit()
        ts += delta
        samples.append((ts, value.follow(bits)))
    bits.finish()
    return samples


def read_histograms(data: bytes, *, floats: bool) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The layout and each histogram of a (float) histogram chunk."""
    bits = Bits(data)
    count = bits.take(16)
    layout: dict[str, Any] = {"flags": bits.take(8) >> 6}
    code = bits.take(8)
    layout["zero_threshold"] = bits.double() if code == 255 else 0.0 if code == 0 else 2.0 ** (code - 244)
    layout["schema"] = bits.varbit_int()
    layout["positive"] = [(bits.varbit_uint(), bits.varbit_int())[::-1] for _ in range(bits.varbit_uint())]
    layout["negative"] = [(bits.varbit_uint(), bits.varbit_int())[::-1] for _ in range(bits.varbit_uint())]
    if layout["schema"] == -53:
        layout["bounds"] = [custom_bound(bits) for _ in range(bits.varbit_uint())]
    positive = sum(length for _, length in layout["positive"])
    cells = positive + sum(length for _, length in layout["negative"])
    rows = float_rows(bits, count, cells) if floats else integer_rows(bits, count, cells)
    bits.finish()
    return layout, [{**row, "positive": row["cells"][:positive], "negative": row["cells"][positive:]} for row in rows]


def custom_bound(bits: Bits) -> float:
    if bits.text[bits.at] == "1":
        return (bits.varbit_uint() - 1) / 1000
    bits.take(1)
    return bits.double()


def dod(read: Callable[[], int]) -> Callable[[int], int]:
    """A counter that is stored as it is, then as its difference, then as the difference of differences."""
    state = [0, 0]

    def follow(row: int) -> int:
        if row == 0:
            state[0] = read()
        else:
            state[1] += read()
            state[0] += state[1]
        return state[0]

    return follow


def integer_rows(bits: Bits, count: int, cells: int) -> list[dict[str, Any]]:
    rows = []
    first = [True]
    unsigned = lambda: bits.varbit_uint() if first[0] else bits.varbit_int()  # noqa: E731
    ts, total, zero = dod(bits.varbit_int), dod(unsigned), dod(unsigned)
    buckets = [dod(bits.varbit_int) for _ in range(cells)]
    sums = Xor(0)
    for row in range(count):
        first[0] = row == 0
        one: dict[str, Any] = {"ts": ts(row), "count": total(row), "zero": zero(row)}
        if row == 0:
            sums.bits = bits.take(64)
        one["sum"] = sums.bits if row == 0 else sums.follow(bits)
        one["cells"] = [bucket(row) for bucket in buckets]
        rows.append(one)
    return rows


def float_rows(bits: Bits, count: int, cells: int) -> list[dict[str, Any]]:
    rows = []
    ts = dod(bits.varbit_int)
    values = [Xor(0) for _ in range(3 + cells)]
    for row in range(count):
        one: dict[str, Any] = {"ts": ts(row)}
        found = []
        for value in values:
            if row == 0:
                value.bits = bits.take(64)
            else:
                value.follow(bits)
            found.append(struct.unpack("<d", struct.pack("<Q", value.bits))[0])
        one["count"], one["zero"], one["sum"] = found[:3]
        one["cells"] = found[3:]
        rows.append(one)
    return rows
