"""Gives pages of code back that only the start needed.

ClickHouse and LLVM are libraries of half a gigabyte. Loading them, linking and setting up touches 250 MiB of their
pages, and serving touches a third of that. Linux counts all of them as the process' memory until it runs short.
"""

from __future__ import annotations

import ctypes
import logging
import re
import sys
from collections.abc import Iterator
from typing import NamedTuple

_log = logging.getLogger(__name__)

_MADV_DONTNEED = 4  # <sys/mman.h> of Linux
_MAPPING = re.compile(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ \d+\s*(.*)")
# Smaller libraries are not worth a system call.
_LEAST_KIB = 1024
_KIB = 1024


class CodeMapping(NamedTuple):
    """Memory that shows a library's file as it is on disk."""

    address: int
    length: int  # bytes
    resident_kib: int


def code_mappings(smaps: str) -> Iterator[CodeMapping]:
    """The parts of libraries in the text of `/proc/self/smaps` that hold nothing but what is in the file.

    Source: https://www.kernel.org/doc/html/latest/filesystems/proc.html. A page that was ever written to, by the
    linker say, is counted as anonymous there, and its mapping is left out: its content would be lost.
    """
    place: re.Match[str] | None = None
    resident_kib = 0
    for line in smaps.splitlines():
        if match := _MAPPING.fullmatch(line):
            place = match
            continue
        name, _, figure = line.partition(":")
        if name == "Rss":
            resident_kib = int(figure.split()[0])
        elif name == "Anonymous" and place is not None:
            is_code = place[3] in ("r-xp", "r--p") and ".so" in place[4] and "(deleted)" not in place[4]
            if is_code and figure.split()[0] == "0" and resident_kib >= _LEAST_KIB:
                begin, end = int(place[1], 16), int(place[2], 16)
                yield CodeMapping(begin, end - begin, resident_kib)


def release_code_pages() -> int:
    """Let go of the pages; those that are used come back one by one. Returns how many bytes were let go (0: none).

    Linux only; elsewhere nothing is done.
    """
    if not sys.platform.startswith("linux"):
        return 0
    try:
        with open("/proc/self/smaps", encoding="utf-8", errors="replace") as file:
            mappings = list(code_mappings(file.read()))
        madvise = ctypes.CDLL(None, use_errno=True).madvise
    except (OSError, AttributeError):
        return 0
    madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    # A read-only private mapping of a file without pages of its own: what is let go is read from the file again.
    released = sum(m.resident_kib for m in mappings if madvise(m.address, m.length, _MADV_DONTNEED) == 0)
    _log.debug("pages of code given back", extra={"mib": released // _KIB})
    return released * _KIB
