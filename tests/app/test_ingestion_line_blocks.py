import io

import pytest

from swarmscope.app.ingestion import line_blocks
from swarmscope.app.ingestion.line_blocks import read_blocks


def _read(data: bytes, offset: int = 0, **options: bool) -> tuple[list[str], int]:
    lines, end = [], offset
    for block in read_blocks(io.BytesIO(data), offset, **{"joins": False, **options}):
        lines += block.line.to_strings()
        end = block.end_offset
    return lines, end


def test_lines_and_where_they_end():
    assert _read(b"a\r\n\nbc\n\n", 100) == (["a", "bc"], 108)


def test_last_line_needs_no_end_unless_more_may_come():
    assert _read(b"a\nrest") == (["a", "rest"], 6)
    assert _read(b"a\nrest", is_last=False) == (["a"], 2)


@pytest.mark.parametrize("size", [1, 3, 7, 64])
def test_blocks_of_any_size_give_the_same_lines(monkeypatch, size):
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", size)
    data = b"one\ntwo\r\n\nthree and more\nTraceback (most recent call last)\n  File x\nKeyError: 1\nlast"
    plain = ["one", "two", "three and more", "Traceback (most recent call last)", "  File x", "KeyError: 1", "last"]
    assert _read(data) == (plain, len(data))
    joined = ["one", "two", "three and more\nTraceback (most recent call last)\n  File x\nKeyError: 1", "last"]
    if size > 8:  # what belongs together has to be seen together, one line ahead
        assert _read(data, joins=True) == (joined, len(data))


def test_a_line_without_end_is_cut(monkeypatch):
    monkeypatch.setattr(line_blocks, "MAX_LINE_BYTES", 10)
    monkeypatch.setattr(line_blocks, "BLOCK_BYTES", 4)
    assert _read(b"x" * 25) == (["x" * 12, "x" * 12, "x"], 25)
