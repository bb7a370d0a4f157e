"""Strings, durations and sizes as LogQL text, the way they read back."""

from __future__ import annotations

import re
from fractions import Fraction

from swarmscope.lang.templates.go_strings import quote_go

# Go's units of time. Loki reads days, weeks and years too; Go's own printing never writes them.
_DURATION_UNITS_NS = (("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000),
                      ("us", 1_000), ("ns", 1))  # fmt: skip
_SIZE_UNITS = tuple(
    (letter + suffix, base**power)
    for power, letter in reversed(tuple(enumerate("KMGTPE", 1)))
    for suffix, base in (("iB", 1024), ("B", 1000))
)

_SIZE = re.compile(r"([0-9][0-9,]*(?:\.[0-9]*)?|\.[0-9]+)\s*([kmgtpeKMGTPE]?)([iI]?)[bB]?")
_GO_DURATION = re.compile(r"([+-]?)(?:0|((?:(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:ns|us|µs|μs|ms|s|m|h))+))")
_DURATION_PART = re.compile(r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d|w|y)")
_READ_UNITS_NS = dict(_DURATION_UNITS_NS) | {"µs": 1_000, "μs": 1_000, "d": 86_400_000_000_000,
                                             "w": 604_800_000_000_000, "y": 31_536_000_000_000_000}  # fmt: skip
MAX_DURATION_NS = (1 << 63) - 1  # Go's durations are 64-bit integers


def read_duration_ns(text: str) -> int:
    """`1h30m`, `1.5h` or `2d` in nanoseconds. Raises ValueError beyond Go's range (292 years)."""
    total = sum(
        (Fraction(count.rstrip(".")) * _READ_UNITS_NS[unit] for count, unit in _DURATION_PART.findall(text)), Fraction()
    )
    if total > MAX_DURATION_NS:
        raise ValueError(f"duration out of range: {text}")
    return int(total)


def read_go_duration_ns(text: str) -> int:
    """A duration as Go's time.ParseDuration reads it, signed. Raises ValueError."""
    match = _GO_DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f'time: invalid duration "{text}"')
    return read_duration_ns(match[2] or "0s") * (-1 if match[1] == "-" else 1)


def read_bytes(text: str) -> int:
    """Bytes of a size as people write it: `20MB` (powers of 1000), `5 MiB` (of 1024), `1,024`. Raises ValueError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"unhandled size name: {text}")
    count, letter, binary = match.groups()
    if binary and not letter:
        raise ValueError(f"unhandled size name: {text}")
    power = " kmgtpe".index(letter.lower()) if letter else 0
    size = int(Fraction(count.replace(",", "").rstrip(".") or "0") * (1024 if binary else 1000) ** power)
    if size >= 1 << 64:
        raise ValueError(f"size out of range: {text}")
    return size


def quote(text: str) -> str:
    """A string in double quotes, or in backticks where that spares escapes."""
    if ("\\" in text or '"' in text) and "`" not in text and all(c.isprintable() for c in text):
        return f"`{text}`"
    return quote_go(text)


def duration_text(duration_ns: int) -> str:
    """A duration with the fewest whole units: `1h30m`, `250ms`, `0s`."""
    if duration_ns == 0:
        return "0s"
    sign, rest = ("-", -duration_ns) if duration_ns < 0 else ("", duration_ns)
    parts = []
    for unit, size in _DURATION_UNITS_NS:
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return sign + "".join(parts)


def bytes_text(size: int) -> str:
    """A number of bytes in the largest unit that divides it."""
    for unit, factor in _SIZE_UNITS:
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}B"
