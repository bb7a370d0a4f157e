"""Every `scripts/*.test` file beside this module: on plain data, which obeys a request's hints or passes over them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from swarmscope.testing.memory_span_reader import MemorySpanReader
from swarmscope.testing.traceql_runner import TraceScriptTarget, run_trace_script

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.test"))
ENOUGH_EVALS = 200


def _target(kind):
    reader = MemorySpanReader(batch_spans=2, obeys_hints=kind == "hinted")
    return TraceScriptTarget(reader, reader)


@pytest.mark.parametrize("kind", ["plain", "hinted"])
@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_script(path, kind):
    failures = run_trace_script(path.read_text(), _target(kind))
    assert not failures, "\n".join(map(str, failures))


def test_there_are_enough_evals():
    evals = sum(len(re.findall(r"^eval ", path.read_text(), re.MULTILINE)) for path in SCRIPTS)
    assert evals >= ENOUGH_EVALS
