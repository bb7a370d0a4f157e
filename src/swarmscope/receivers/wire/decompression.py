"""Request bodies unpacked, with a bound that holds while they are being unpacked.

Output goes into memory of bounded size, so a decompression bomb ends where the bound is, whatever the body claims.
Pages that are reserved and never written cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import cramjam
import numpy as np
from numpy.typing import NDArray

from swarmscope.model.errors import LimitExceededError, MalformedInputError

IDENTITY = "identity"
SNAPPY = "snappy"
SNAPPY_FRAMED = "x-snappy-framed"
GZIP = "gzip"
DEFLATE = "deflate"
ZSTD = "zstd"
LZ4 = "lz4"

# Names that clients use in Content-Encoding; "zstd1" is Datadog's.
_ENCODINGS = {
    "": IDENTITY,
    "identity": IDENTITY,
    "none": IDENTITY,
    "snappy": SNAPPY,
    "x-snappy-framed": SNAPPY_FRAMED,
    "gzip": GZIP,
    "x-gzip": GZIP,
    "deflate": DEFLATE,
    "zstd": ZSTD,
    "zstd1": ZSTD,
    "lz4": LZ4,
}

# First bytes of self-describing formats. None of them can begin a Snappy block: behind the length that the first byte
# would be, a block begins with a literal, whose tag has its two low bits clear.
_MAGIC = {
    b"\x1f\x8b": GZIP,
    b"\x28\xb5\x2f\xfd": ZSTD,
    b"\x04\x22\x4d\x18": LZ4,
    b"\xff\x06\x00\x00sNaPpY": SNAPPY_FRAMED,
}

_DECOMPRESS_INTO: dict[str, Callable[..., int]] = {
    GZIP: cramjam.gzip.decompress_into,
    ZSTD: cramjam.zstd.decompress_into,
    LZ4: cramjam.lz4.decompress_into,
    SNAPPY_FRAMED: cramjam.snappy.decompress_into,
}

_OUTPUT_IS_FULL = "failed to write whole buffer"  # what cramjam says, in every format, when the target is too small
_MAX_SNAPPY_RATIO = 22  # a copy of 64 bytes takes three
_FIRST_RATIO = 16  # first attempt: room for this many times the body
_FIRST_BYTES = 1 << 20


class UnsupportedEncodingError(MalformedInputError):
    """A Content-Encoding that is not known, or several at once; HTTP 415."""


def parse_encoding(header: str | None) -> str:
    """The encoding that a Content-Encoding header names. Raises UnsupportedEncodingError."""
    name = (header or "").strip().lower()
    if "," in name:
        raise UnsupportedEncodingError(f"chained Content-Encoding {name!r} is not supported")
    encoding = _ENCODINGS.get(name)
    if encoding is None:
        raise UnsupportedEncodingError(f"Content-Encoding {name!r} is not supported")
    return encoding


def sniff_encoding(body: bytes) -> str | None:
    """The format that a body's first bytes give away, or None (Snappy blocks and deflate have no such mark)."""
    for magic, encoding in _MAGIC.items():
        if body.startswith(magic):
            return encoding
    return None


def _claim_nothing(n_bytes: int) -> None:
    pass


def decompress(
    body: bytes, encoding: str, max_bytes: int, claim: Callable[[int], object] = _claim_nothing
) -> NDArray[np.uint8]:
    """Unpack a body of a known encoding; the result is read-only.

    `claim` is told how many bytes an attempt may fill before it is made, and may raise; a later attempt replaces the
    earlier one.

    Raises LimitExceededError (`too_large`) when it unpacks to more than `max_bytes`, MalformedInputError when it is
    not of that encoding.
    """
    if encoding == IDENTITY:
        if len(body) > max_bytes:
            raise _too_large(max_bytes)
        return np.frombuffer(body, np.uint8)
    if encoding == SNAPPY:
        return _decompress_snappy(body, max_bytes, claim)
    unpack = _deflate_variant(body) if encoding == DEFLATE else _DECOMPRESS_INTO[encoding]
    return _decompress_bounded(_Unpacking(encoding, unpack, claim), body, max_bytes)


def decompress_leniently(
    body: bytes, declared: str, max_bytes: int, claim: Callable[[int], object] = _claim_nothing
) -> NDArray[np.uint8]:
    """Unpack a body whose header may be wrong or missing, where the protocol's habit is Snappy blocks.

    What the first bytes give away is believed before the header. Real senders leave the header out of Snappy
    bodies. `claim` and what is raised are as for `decompress`, with the declared encoding.
    """
    marked = sniff_encoding(body)
    if marked is not None:
        return decompress(body, marked, max_bytes, claim)
    if declared in (SNAPPY, DEFLATE):
        return decompress(body, declared, max_bytes, claim)
    try:
        return decompress(body, SNAPPY, max_bytes, claim)
    except MalformedInputError:
        return decompress(body, declared, max_bytes, claim)


def _too_large(max_bytes: int) -> LimitExceededError:
    return LimitExceededError(
        f"the body unpacks to more than {max_bytes} bytes", limit="limits.max_body_bytes_decompressed", too_large=True
    )


def _decompress_snappy(body: bytes, max_bytes: int, claim: Callable[[int], object]) -> NDArray[np.uint8]:
    """A Snappy block. Format: https://github.com/google/snappy/blob/main/format_description.txt"""
    try:
        declared = int(cramjam.snappy.decompress_raw_len(body)) if body else 0
    except cramjam.DecompressionError as error:
        raise MalformedInputError(f"the body is not a Snappy block: {error}") from error
    if declared > max_bytes:
        raise _too_large(max_bytes)
    if not body or declared > _MAX_SNAPPY_RATIO * len(body):
        raise MalformedInputError("the body is not a Snappy block: its length cannot be true")
    claim(declared)
    target = np.empty(declared, np.uint8)
    try:
        written = cramjam.snappy.decompress_raw_into(body, target.data)
    except cramjam.DecompressionError as error:
        raise MalformedInputError(f"the body is not a Snappy block: {error}") from error
    if written != declared:
        raise MalformedInputError("the body is not a Snappy block: it is shorter than it says")
    return _read_only(target)


def _read_only(body: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As a body that needed no unpacking is: kernels are compiled for one kind of body only."""
    body.flags.writeable = False
    return body


def _deflate_variant(body: bytes) -> Callable[..., Any]:
    """HTTP's deflate is the zlib format; some senders leave its two-byte header out."""
    has_header = len(body) >= 2 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
    return cramjam.zlib.decompress_into if has_header else cramjam.deflate.decompress_into


class _Unpacking(NamedTuple):
    """A format's name, its function, and who is to be asked for memory."""

    name: str
    unpack: Callable[..., Any]
    claim: Callable[[int], object]


def _decompress_bounded(unpacking: _Unpacking, body: bytes, max_bytes: int) -> NDArray[np.uint8]:
    name, unpack, claim = unpacking
    room = min(max_bytes, max(_FIRST_BYTES, _FIRST_RATIO * len(body)))
    while True:
        claim(room)
        target = np.empty(room, np.uint8)
        try:
            written = int(unpack(body, target))
        except cramjam.DecompressionError as error:
            if _OUTPUT_IS_FULL not in str(error):
                raise MalformedInputError(f"the body is not {name}: {error}") from error
            if room >= max_bytes:
                raise _too_large(max_bytes) from error
            room = max_bytes
        else:
            return _read_only(target[:written])
