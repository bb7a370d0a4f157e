"""Strings, durations and sizes as LogQL text, the way they read back."""

from __future__ import annotations

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r"}
# Go's units of time. Loki reads days, weeks and years too; Go's own printing never writes them.
_DURATION_UNITS_NS = (("h", 3_600_000_000_000), ("m", 60_000_000_000), ("s", 1_000_000_000), ("ms", 1_000_000),
                      ("us", 1_000), ("ns", 1))  # fmt: skip
_SIZE_UNITS = (("EiB", 1 << 60), ("PiB", 1 << 50), ("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20),
               ("KiB", 1 << 10))  # fmt: skip


def quote(text: str) -> str:
    """A string in double quotes, or in backticks where that spares escapes."""
    if ("\\" in text or '"' in text) and "`" not in text and all(c.isprintable() for c in text):
        return f"`{text}`"
    return '"' + "".join(_ESCAPES.get(c, c if c.isprintable() else _escape(c)) for c in text) + '"'


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


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
    """A number of bytes in the largest binary unit that divides it."""
    for unit, factor in _SIZE_UNITS:
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return f"{size}B"
