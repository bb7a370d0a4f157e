"""What the benchmark measures with, against loads whose size is known."""

import json
import sys

import pytest
from bench.disk import folder_bytes
from bench.processes import ServerProcess, Settling
from bench.reading import QueryResult, _difference, _read_answer, summarise

BURN = "import time; end = time.process_time() + {s}\nwhile time.process_time() < end: pass\ntime.sleep(60)"


def _python(tmp_path, code):
    return ServerProcess([sys.executable, "-c", code], tmp_path / "log")


def test_cpu_time_is_that_of_the_process_and_settling_waits_for_its_end(tmp_path):
    with _python(tmp_path, BURN.format(s=0.5)) as process:
        process.settle(Settling(0.0, 20.0))
        assert process.cpu_s() == pytest.approx(0.5, abs=0.2)


def test_cpu_time_includes_children(tmp_path):
    child = BURN.format(s=0.5)
    code = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    with _python(tmp_path, code) as process:
        process.settle(Settling(1.0, 20.0))
        assert process.cpu_s() >= 0.5


def test_settling_ends_at_its_limit(tmp_path):
    with _python(tmp_path, BURN.format(s=60)) as process:
        process.settle(Settling(0.0, 0.5))
        # It burns for a minute of processor time, and settling has not waited for that.
        assert process.cpu_s() < 60


def test_a_process_never_outlives_its_block(tmp_path):
    with _python(tmp_path, "import time; time.sleep(60)") as process:
        assert process.memory_bytes()["now"] > 0
    assert process.memory_bytes()["now"] == 0


def test_a_server_that_dies_is_reported_with_its_log(tmp_path):
    with _python(tmp_path, "print('no such luck')") as process, pytest.raises(RuntimeError, match="no such luck"):
        process.wait_ready(lambda: False, 30)


def test_folder_bytes_counts_a_file_with_two_names_once(tmp_path):
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "a").write_bytes(b"x" * 1000)
    (tmp_path / "b").write_bytes(b"y" * 30)
    (tmp_path / "c").hardlink_to(tmp_path / "inner" / "a")
    assert folder_bytes(tmp_path) == 1030


def _answer(*series):
    result = [{"metric": metric, "values": values} for metric, values in series]
    return _read_answer(json.dumps({"data": {"result": result}}).encode())


@pytest.mark.parametrize(
    ("mine", "problem"),
    [
        ([({"a": "1"}, [[1, "2"], [2, "3.0000000000001"]])], ""),
        ([({"a": "1"}, [[1, "2"], [2, "3.3"]])], "values differ by up to 1.0e-01"),
        ([({"a": "1"}, [[1, "2"]])], "1 points instead of 2 in {'a': '1'}"),
        ([({"a": "2"}, [[1, "2"], [2, "3"]])], "1 series instead of 1, 0 in common"),
        ([], "0 series instead of 1, 0 in common"),
    ],
)
def test_a_wrong_answer_is_noticed(mine, problem):
    reference = _answer(({"a": "1"}, [[1, "2"], [2, "3"]]))
    assert _difference(_answer(*mine), reference) == problem


def test_summary_by_hand():
    results = [
        QueryResult("a", "instant", [1.0, 9.0, 2.0], 0.03),
        QueryResult("b", "instant", [4.0], 0.01),
        QueryResult("a", "range", [10.0, 30.0, 20.0], 0.06),
        QueryResult("b", "range", [7.0], 0.005, problem="too few"),
        QueryResult("c", "range", problem="500"),
    ]
    summary = summarise(results)
    assert (summary.median_instant_ms, summary.median_range_ms) == (3.0, 13.5)
    assert (summary.slowest_ms, summary.slowest_name) == (20.0, "a (range)")
    assert summary.range_cpu_ms == pytest.approx(25.0)
    assert (summary.answered, summary.differing) == (4, 2)
