"""Every `scripts/*.test` file beside this module: on plain data, which obeys a request's hints or passes over them, and
against the real embedded store with the spans in memory, in a part for each load, and in a part for every span.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest

from swarmscope.store.embedded.spans.span_store import SpanStoreSettings
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from swarmscope.testing.memory_span_reader import MemorySpanReader
from swarmscope.testing.traceql_runner import TraceScriptTarget, run_trace_script
from tests.portion import portion

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.test"))
ENOUGH_EVALS = 200


class _WallClock:
    def now_ns(self) -> int:
        return time.time_ns()


class _ShareJudge:
    """Keeps all, with the weight that the share says."""

    patience_s = 0.0

    def weigh(self, tenant, trace_id, keep, share):
        return (1 / share).astype(np.float32)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    # Scripts begin at 1970, so nothing may expire.
    spans = SpanStoreSettings(retention_s=None, judge=_ShareJudge())
    settings = StoreSettings(tmp_path_factory.mktemp("traceql"), spans=spans)
    opened = EmbeddedStore(settings, _WallClock())
    yield opened
    opened.close()


def _target(kind, store):
    if kind in ("plain", "hinted"):
        reader = MemorySpanReader(batch_spans=2, obeys_hints=kind == "hinted")
        return TraceScriptTarget(reader, reader)
    if kind == "memory":
        return TraceScriptTarget(store.span_sink, store.span_reader)
    return TraceScriptTarget(
        store.span_sink, store.span_reader, batch_spans=1 if kind == "parts" else 1_000, settle=store.spans.flush
    )


@pytest.mark.parametrize("kind", ["hinted", "memory", "parts", "plain", "part"][: portion(5, 3)])
@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_script(path, kind, store):
    if path.stem == "weights" and kind == "memory":
        pytest.skip("spans in memory are all there: each stands for itself")
    failures = run_trace_script(path.read_text(), _target(kind, store))
    assert not failures, "\n".join(map(str, failures))


def test_there_are_enough_evals():
    evals = sum(len(re.findall(r"^eval ", path.read_text(), re.MULTILINE)) for path in SCRIPTS)
    assert evals >= ENOUGH_EVALS


SABOTAGED = """
load
  t1/s1 a 1s+1s span{n=2}

eval search { span.n = 2 }
  %s

eval instant 0s 10s { } | count_over_time()
  {__name__="count_over_time"} %s
"""


@pytest.mark.parametrize(
    ("row", "number", "wrong"),
    [
        ("t1: s1{n=2}", "1", 0), ("t1: s1", "1", 0), ("t1: s2", "1", 1), ("t2: s1", "1", 1), ("t1: s1{n=3}", "1", 1),
        ("t1: s1 of 2", "1", 1), ("t1: s1 [count()=1]", "1", 1), ("t1: s1 s2", "1", 1), ("t1: s1", "2", 1),
        ("t1: s1", "_", 1), ("t1: s1", "1 1", 1), ("t1: s2", "3", 2),
    ],
)  # fmt: skip
def test_the_harness_can_fail(row, number, wrong):
    assert len(run_trace_script(SABOTAGED % (row, number), _target("plain", None))) == wrong
