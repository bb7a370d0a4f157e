"""The hash that limit_ratio samples by: xxHash64 of a label set, as Prometheus lays it out in memory.

Sources: https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md; the layout is that of Prometheus' labels
(each name and value with its length before it: one byte below 255, else 255 and three bytes, low byte first).
"""

from __future__ import annotations

_MASK = (1 << 64) - 1
_P1, _P2, _P3 = 0x9E3779B185EBCA87, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9
_P4, _P5 = 0x85EBCA77C2B2AE63, 0x27D4EB2F165667C5


def _rotate(x: int, bits: int) -> int:
    return ((x << bits) | (x >> (64 - bits))) & _MASK


def _round(lane: int, word: int) -> int:
    return _rotate((lane + word * _P2) & _MASK, 31) * _P1 & _MASK


def xxhash64(data: bytes) -> int:
    """xxHash64 with seed 0."""
    n = len(data)
    at = 0
    if n >= 32:
        lanes = [(_P1 + _P2) & _MASK, _P2, 0, -_P1 & _MASK]
        while at + 32 <= n:
            for k in range(4):
                lanes[k] = _round(lanes[k], int.from_bytes(data[at + 8 * k : at + 8 * k + 8], "little"))
            at += 32
        digest = (_rotate(lanes[0], 1) + _rotate(lanes[1], 7) + _rotate(lanes[2], 12) + _rotate(lanes[3], 18)) & _MASK
        for lane in lanes:
            digest = ((digest ^ _round(0, lane)) * _P1 + _P4) & _MASK
    else:
        digest = _P5
    digest = (digest + n) & _MASK
    while at + 8 <= n:
        digest ^= _round(0, int.from_bytes(data[at : at + 8], "little"))
        digest = (_rotate(digest, 27) * _P1 + _P4) & _MASK
        at += 8
    if at + 4 <= n:
        digest ^= int.from_bytes(data[at : at + 4], "little") * _P1 & _MASK
        digest = (_rotate(digest, 23) * _P2 + _P3) & _MASK
        at += 4
    for byte in data[at:]:
        digest = _rotate(digest ^ (byte * _P5 & _MASK), 11) * _P1 & _MASK
    digest = (digest ^ (digest >> 33)) * _P2 & _MASK
    digest = (digest ^ (digest >> 29)) * _P3 & _MASK
    return digest ^ (digest >> 32)


def _sized(text: str) -> bytes:
    raw = text.encode()
    if len(raw) < 255:
        return bytes([len(raw)]) + raw
    return b"\xff" + len(raw).to_bytes(3, "little") + raw


def label_set_hash(labels: dict[str, str]) -> int:
    """Hash of a label set whose names are sorted."""
    return xxhash64(b"".join(_sized(name) + _sized(value) for name, value in labels.items()))
