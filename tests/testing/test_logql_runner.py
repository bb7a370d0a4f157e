"""The runner of LogQL scripts can fail, and its parser refuses what it does not know."""

import pytest

from swarmscope.testing.logql_runner import run_log_script
from swarmscope.testing.logql_script import parse_log_script
from swarmscope.testing.logql_target import LogEngineTarget
from swarmscope.testing.memory_log_reader import MemoryLogReader
from swarmscope.testing.promql_script import ScriptSyntaxError

LOAD = """
load {app="x"}
  1s | one
  2s {user="u", detected_level="error"} "two\\tcells"
  10s+5s*2 | n=$i
"""


def failures(script):
    reader = MemoryLogReader()
    return run_log_script(LOAD + "\n" + script, LogEngineTarget(reader, reader))


def test_what_is_right_passes():
    script = """
eval logs limit 2 {app="x"}
  1s {app="x"} | one
  2s {app="x", user="u", detected_level="error"} "two\\tcells"

eval logs from 3s to 15s backward {app="x"}
  10s {app="x"} | n=0

eval instant at 20s count_over_time({app="x"}[20s])
  {app="x", user="u", detected_level="error"} 1
  {app="x", detected_level="unknown"} 3

eval fail logs {app="x"
  expect fail regex: parse error

clear

eval logs {app="x"}
"""
    assert failures(script) == []


@pytest.mark.parametrize(
    "script",
    [
        'eval logs limit 1 {app="x"}',
        'eval logs limit 1 {app="x"}\n  1s {app="x"} | other',
        'eval logs limit 1 {app="x"}\n  2s {app="x"} | one',
        'eval logs limit 1 {app="x"}\n  1s {app="y"} | one',
        'eval logs limit 1 {app="x"}\n  1s {app="x", more="z"} | one',
        'eval logs limit 1 {app="x"}\n  1s {app="x", detected_level="info"} | one',
        'eval logs limit 1 {app="x"}\n  1s {app="x"} | one\n  1s {app="x"} | one',
        'eval logs from 10s {app="x"}\n  15s {app="x"} | n=1\n  10s {app="x"} | n=0',
        'eval logs {app="x"',
        'eval fail logs {app="x"}',
        'eval fail logs {app="x"\n  expect fail regex: something else',
        'eval instant at 20s sum(count_over_time({app="x"}[20s]))\n  {} 5',
    ],
)
def test_what_is_wrong_fails(script):
    assert len(failures(script)) >= 1


@pytest.mark.parametrize(
    "script",
    [
        "load x\n  1s | a",
        "load {}\n  1s | a",
        'load {app="x"}\n  | a',
        'load {app="x"}\n  1s a',
        'load {app="x", app="y"}\n  1s | a',
        'eval logs {app="x"}\n  one',
        'eval logs {app="x"}\n  expect fail msg: x',
        "evaluate {}",
        "nonsense",
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(script):
    with pytest.raises(ScriptSyntaxError, match="line 1"):
        parse_log_script(script)


def test_lines_are_read_as_they_stand():
    (load,) = parse_log_script('load {a="b"}\n  5s | # no comment, {"x": 1} | y\n  # a comment\n  6s |\n')
    assert [line.line for line in load.lines] == ['# no comment, {"x": 1} | y', ""]
