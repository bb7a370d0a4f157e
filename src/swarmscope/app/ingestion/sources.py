"""Files and pipes as bytes: plain, gzip or zstd."""

from __future__ import annotations

import os
import select
import sys
import time
from io import UnsupportedOperation
from pathlib import Path
from typing import BinaryIO, cast

import pyarrow as pa

STANDARD_INPUT = "-"
_GZIP_MAGIC, _ZSTD_MAGIC = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_GATHERED_S = 0.2


def compression_of(head: bytes) -> str | None:
    """`gzip`, `zstd` or None, by a file's first bytes."""
    if head.startswith(_GZIP_MAGIC):
        return "gzip"
    return "zstd" if head.startswith(_ZSTD_MAGIC) else None


class PipeReader:
    """A pipe: what comes within a moment is taken together, and nothing is kept waiting for more."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, size: int, /) -> bytes:
        """Waits for a first byte; none at the end."""
        pieces: list[bytes] = []
        left, ends_s = size, 0.0
        while left > 0:
            if pieces and not select.select([self._descriptor], [], [], max(ends_s - time.monotonic(), 0))[0]:
                break
            piece = os.read(self._descriptor, left)
            if not piece:
                break
            ends_s = ends_s or time.monotonic() + _GATHERED_S
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)


def open_pipe() -> PipeReader | BinaryIO:
    """The standard input."""
    try:
        return PipeReader(sys.stdin.fileno())
    except UnsupportedOperation:  # it is no pipe of the system, but an object of a program that calls the command
        return sys.stdin.buffer


def open_source(path: Path) -> tuple[BinaryIO, str | None]:
    """A file to read from, and how it is compressed. Raises OSError."""
    source = path.open("rb")
    compression = compression_of(source.read(4))
    source.seek(0)
    return source, compression


def decompressed(source: BinaryIO, compression: str) -> BinaryIO:
    """What a compressed file holds; reading raises OSError where it is damaged."""
    return cast(BinaryIO, pa.CompressedInputStream(pa.PythonFile(source), compression))
