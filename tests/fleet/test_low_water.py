"""Marks that survive the process: lowered at once, raised when all is written, and never in the way."""

from __future__ import annotations

from pathlib import Path

from swarmscope.fleet.low_water import LowWaterMarks


def left_behind(path: Path) -> dict[str, int]:
    return LowWaterMarks(path, 10).read()


def test_marks_are_lowered_and_raised(tmp_path: Path) -> None:
    path = tmp_path / "marks.json"
    marks = LowWaterMarks(path, 10)
    assert marks.read() == {}
    marks.lower("a", 100)
    assert left_behind(path) == {"a": 90}
    written = path.stat().st_mtime_ns
    marks.lower("a", 95)  # behind the mark already
    assert path.stat().st_mtime_ns == written
    marks.lower("a", 50)
    marks.lower("b", 7)
    assert left_behind(path) == {"a": 40, "b": -3}
    marks.raise_to({"a": 500})
    assert left_behind(path) == {"a": 490, "b": -3}
    marks.lower("a", 480)
    assert left_behind(path) == {"a": 470, "b": -3}


def test_marks_of_an_earlier_process_hold_until_raised(tmp_path: Path) -> None:
    path = tmp_path / "marks.json"
    LowWaterMarks(path, 10).lower("a", 100)
    marks = LowWaterMarks(path, 10)
    marks.read()
    marks.lower("a", 200)
    assert left_behind(path) == {"a": 90}


def test_a_damaged_file_is_no_reason_to_stop(tmp_path: Path) -> None:
    path = tmp_path / "marks.json"
    for text in ("{", "[1]", '{"a": "x"}', ""):
        path.write_text(text)
        assert left_behind(path) == {}
