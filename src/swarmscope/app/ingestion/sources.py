"""Files and pipes as bytes: plain, gzip or zstd."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

STANDARD_INPUT = "-"
_GZIP_MAGIC, _ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"


def compression_of(head: bytes) -> str | None:
    """`gzip`, `zstd` or None, by a file's first bytes."""
    if head.startswith(_GZIP_MAGIC):
        return "gzip"
    return "zstd" if head.startswith(_ZSTD_MAGIC) else None


def open_source(name: str) -> tuple[BinaryIO, str | None]:
    """A file to read from, and how it is compressed. Raises OSError."""
    if name == STANDARD_INPUT:
        return sys.stdin.buffer, None
    source = Path(name).open("rb")  # noqa: SIM115 - the caller closes it
    compression = compression_of(source.read(4))
    source.seek(0)
    return source, compression


def decompressed(source: BinaryIO, compression: str) -> BinaryIO:
    """What a compressed file holds."""
    return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(source), compression))
