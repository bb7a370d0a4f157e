"""The bound on arenas, seen from outside: address space that glibc reserves for each of them."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Threads that all hold memory from malloc at once; each arena but the first is a mapping of its own, 64 MiB aligned.
_PROBE = """
import ctypes, re, sys, threading
if sys.argv[1] == "bound":
    from swarmscope.app.allocator import bound_arenas
    assert bound_arenas()
malloc = ctypes.CDLL(None).malloc
malloc.restype = ctypes.c_void_p
met = threading.Barrier(8)
def hold():
    places.append(malloc(5000)); met.wait()
places = []
threads = [threading.Thread(target=hold) for _ in range(8)]
for t in threads: t.start()
for t in threads: t.join()
print(len({place >> 26 for place in places}))
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc")
def test_threads_share_few_arenas():
    def arenas(how: str) -> int:
        done = subprocess.run([sys.executable, "-c", _PROBE, how], capture_output=True, text=True, check=True)
        return int(done.stdout)

    assert arenas("bound") <= 2
    assert arenas("free") > 2
