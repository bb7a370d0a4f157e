"""Which mappings are let go, and that nothing of what they hold is lost."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

import pytest

from swarmscope.app.code_pages import CodeMapping, code_mappings, release_code_pages

# As in proc(5), with the lines that do not matter left out.
_SMAPS = """\
7f0000000000-7f0000400000 r-xp 00001000 08:01 11 /lib/libcode.so.1
Rss:                2048 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
7f0000400000-7f0000800000 r--p 00401000 08:01 11 /lib/libcode.so.1
Rss:                4096 kB
Anonymous:             4 kB
7f0000800000-7f0000c00000 rw-p 00801000 08:01 11 /lib/libcode.so.1
Rss:                4096 kB
Anonymous:             0 kB
7f0001000000-7f0001400000 r-xp 00000000 00:00 0
Rss:                4096 kB
Anonymous:             0 kB
7f0002000000-7f0002400000 r-xp 00000000 08:01 12 /lib/libsmall.so
Rss:                1020 kB
Anonymous:             0 kB
7f0003000000-7f0003400000 r--p 00000000 08:01 13 /lib/libgone.so (deleted)
Rss:                4096 kB
Anonymous:             0 kB
7f0004000000-7f0004400000 r--p 00000000 08:01 14 /var/data/table.bin
Rss:                4096 kB
Anonymous:             0 kB
7f0005000000-7f0005200000 r--p 00000000 08:01 15 /lib/abi3.so
Rss:                1024 kB
Anonymous:             0 kB
"""


def test_only_clean_read_only_parts_of_libraries_are_named():
    assert list(code_mappings(_SMAPS)) == [
        CodeMapping(0x7F0000000000, 0x400000, 2048),
        CodeMapping(0x7F0005000000, 0x200000, 1024),
    ]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the system call is Linux'")
def test_what_is_let_go_comes_back_as_it_was():
    import pyarrow as pa
    import pyarrow.compute as pc

    def probe() -> list[object]:
        values = pa.array([3, 1, 2])
        return [pc.sum(values).as_py(), pc.sort_indices(values).to_pylist(), ctypes.CDLL(None).abs(-7)]

    before = probe()
    resident_before = _resident_file_kib()
    released = release_code_pages()
    assert released >= 8 << 20  # PyArrow alone has touched more
    assert _resident_file_kib() < resident_before - (4 << 10)
    assert probe() == before == [6, [1, 2, 0], 7]


def _resident_file_kib() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssFile")).split()[1])
