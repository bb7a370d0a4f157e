"""A process that dies loses nothing that was acknowledged, and doubles nothing."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from swarmscope.schema.span_tables import SPAN_COUNTS, SPANS
from tests.portion import portion
from tests.store.embedded.spans.span_cases import T_NS, S, in_order, scanned, span, span_batch, trace, traces
from tests.store.embedded.spans.test_judging import KEPT, EvenTraces
from tests.store.embedded.spans.test_judging import SPANS as JUDGED

DAY = 86_400 * S
FIRST = [span(i + 1, T_NS + (i % 2) * DAY + i, {"i": i, f"key{i % 3}": "x"}, trace_id=trace(i)) for i in range(8)]
SECOND = [span(i + 20, T_NS + i, {"other": i}, resource={"service.name": f"s{i}"}) for i in range(4)]


class CutOffError(Exception):
    pass


def abandon(store):
    """As death leaves the folder: what is in the journal stays there, and nobody wrote down what was committed."""

    def insert(table, columns):
        raise CutOffError(f"{table} is not written any more")

    store.engine.insert = store.engine.insert_arrow = insert
    store.close(0.2)
    store.spans._recent_file.unlink()


def test_what_was_in_the_journal_is_replayed(open_spans):
    store = open_spans()
    store.span_sink.write_spans(span_batch(FIRST))
    store.spans.flush()
    store.span_sink.write_spans(span_batch(SECOND))
    abandon(store)
    for _ in range(2):
        store = open_spans()
        assert scanned(store) == in_order([*FIRST, *SECOND])
        assert traces(store, 3) == [FIRST[3]]
        # Whoever got no answer sends again.
        store.span_sink.write_spans(span_batch(SECOND))
        assert scanned(store) == in_order([*FIRST, *SECOND])
        store.close()


@pytest.mark.parametrize("inserts", [1, 2, 4, 0, 3][: portion(5, 3)])
def test_a_flush_that_was_cut_off_doubles_nothing(open_spans, monkeypatch, inserts):
    """Two days: two inserts of spans, two of counts."""
    store = open_spans()
    insert, left = store.engine.insert, [inserts]

    def insert_some(table, columns):
        if table in (SPANS.name, SPAN_COUNTS.name):
            if left[0] == 0:
                raise CutOffError("the process dies here")
            left[0] -= 1
        insert(table, columns)

    monkeypatch.setattr(store.engine, "insert", insert_some)
    store.span_sink.write_spans(span_batch(FIRST))
    store.spans.flush(1.0)
    abandon(store)
    store = open_spans()
    assert scanned(store) == in_order(FIRST)
    counted = store.engine.columns(f"SELECT sum(spans) AS n FROM {SPAN_COUNTS.name}")
    assert int(counted["n"][0]) == len(FIRST)
    assert not store.spans._journal.damaged()


def test_what_is_replayed_is_judged(open_spans):
    store = open_spans(judge=EvenTraces())
    store.span_sink.write_spans(span_batch(JUDGED))
    abandon(store)
    assert scanned(open_spans(judge=EvenTraces())) == in_order(KEPT)


def test_a_damaged_frame_costs_only_its_own_spans(open_spans):
    store = open_spans()
    store.span_sink.write_spans(span_batch(FIRST[:4]))
    path = store.spans.memory.active.segment.path
    begin = path.stat().st_size
    store.span_sink.write_spans(span_batch(SECOND))
    end = path.stat().st_size
    store.span_sink.write_spans(span_batch([*FIRST[4:], span(99, attributes={"other": 1})]))
    abandon(store)
    data = bytearray(path.read_bytes())
    data[(begin + end) // 2] ^= 0xFF
    path.write_bytes(data)
    store = open_spans()
    # The last span's shape is known by the damaged frame alone, and so is lost with it.
    assert scanned(store) == in_order(FIRST)
    assert len(store.spans._journal.damaged()) == 1
    store.span_sink.write_spans(span_batch(SECOND))
    assert scanned(store) == in_order([*FIRST, *SECOND])


_VICTIM = """
import os, signal, sys
from pathlib import Path
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.spans.span_store import SpanStoreSettings
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from tests.store.embedded.conftest import SystemClock
from tests.store.embedded.spans.span_cases import span_batch
from tests.store.embedded.spans.test_crash import FIRST, SECOND

store = EmbeddedStore(StoreSettings(Path(sys.argv[1]), spans=SpanStoreSettings(None)), SystemClock())
left = int(sys.argv[2])
insert = Engine.insert

def counting(self, table, columns):
    global left
    if table in ("spans", "span_counts"):
        left -= 1
        if left < 0:
            os.kill(os.getpid(), signal.SIGKILL)
    insert(self, table, columns)

Engine.insert = counting
store.span_sink.write_spans(span_batch(FIRST))
if left == 99:
    os.kill(os.getpid(), signal.SIGKILL)
store.spans.flush()
"""


@pytest.mark.parametrize("inserts", [1, 99, 0, 3][: portion(4, 2)])
def test_a_killed_process_loses_and_doubles_nothing(open_spans, folder, inserts):
    root = Path(__file__).parents[4]
    command = [sys.executable, "-c", _VICTIM, str(folder), str(inserts)]
    died = subprocess.run(command, cwd=root, env={**os.environ, "PYTHONPATH": str(root)}, timeout=300, check=False)
    assert died.returncode == -signal.SIGKILL
    store = open_spans()
    store.span_sink.write_spans(span_batch([*FIRST, *SECOND]))
    assert scanned(store) == in_order([*FIRST, *SECOND])
    assert traces(store, 5) == [FIRST[5]]


class FirstAnswers:
    """Keeps traces of which a span has a reason; what was said first of a trace stands."""

    def __init__(self, patience_s=0.0):
        self.patience_s = patience_s
        self.said = {}

    def weigh(self, tenant, trace_id, keep, share):
        ids = [each.tobytes() for each in trace_id]
        for one in ids:
            self.said.setdefault(
                one, float(any(reason for other, reason in zip(ids, keep, strict=True) if other == one))
            )
        return np.array([self.said[one] for one in ids], np.float32)


def test_what_a_later_segment_says_of_a_trace_counts(open_spans):
    store = open_spans(judge=FirstAnswers(patience_s=3600), max_generation_age_s=0.05)
    begun, failed = span(1, T_NS, trace_id=trace(1)), span(2, T_NS + 1, trace_id=trace(1), keep=1)
    store.span_sink.write_spans(span_batch([begun, span(3, T_NS, trace_id=trace(2))]))
    while len(store.spans.memory.snapshot().generations) < 2:
        time.sleep(0.02)
    store.span_sink.write_spans(span_batch([failed]))
    abandon(store)
    assert scanned(open_spans(judge=FirstAnswers())) == in_order([begun, failed])
