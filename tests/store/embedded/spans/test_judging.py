"""A judge says at flush what stays; until then everything acknowledged is found."""

import time

import numpy as np

from swarmscope.model.spans import SpanColumns, SpanRequest
from tests.store.embedded.conftest import budget
from tests.store.embedded.spans.span_cases import EVER, T_NS, in_order, scanned, span, span_batch, trace, traces


class EvenTraces:
    """Keeps traces with an even number, each for two; and those that have a reason to be kept, for one."""

    def __init__(self, patience_s=0.0):
        self.patience_s = patience_s
        self.asked = []

    def weigh(self, tenant, trace_id, keep, share):
        self.asked.append((tenant, len(trace_id), share.tolist()))
        even = np.where(trace_id[:, 15] % 2 == 0, 2, 0)
        return np.where(keep > 0, 1, even).astype(np.float32)


SPANS = [span(i + 1, T_NS + i, {"i": i}, trace_id=trace(i // 2), keep=4 if i == 3 else 0, share=0.5) for i in range(10)]
KEPT = [one for i, one in enumerate(SPANS) if (i // 2) % 2 == 0 or i == 3]


def weights(store):
    request = SpanRequest(*EVER, SpanColumns(ids=True))
    return {
        rows.span_id[i].tobytes()[-1]: float(rows.weight[i])
        for rows in store.span_reader.scan_spans("default", request, budget())
        for i in range(len(rows))
    }


def test_what_is_not_kept_vanishes_at_flush(open_spans):
    judge = EvenTraces()
    store = open_spans(judge=judge)
    store.span_sink.write_spans(span_batch(SPANS))
    assert scanned(store) == in_order(SPANS)
    assert set(weights(store).values()) == {1.0}
    assert store.spans.flush()
    assert scanned(store) == in_order(KEPT)
    assert weights(store) == {one["span_id"][-1]: 1.0 if one["keep"] else 2.0 for one in KEPT}
    assert traces(store, 0, 3, 4) == in_order(
        [one for one in KEPT if one["trace_id"] in (trace(0), trace(3), trace(4))]
    )
    assert judge.asked == [("default", 10, [0.5] * 10)]


def test_a_judge_is_asked_for_each_tenant(open_spans):
    judge = EvenTraces()
    store = open_spans(judge=judge)
    store.span_sink.write_spans(span_batch(SPANS[:3]))
    store.span_sink.write_spans(span_batch(SPANS[:4], "other"))
    store.spans.flush()
    assert sorted(each[:2] for each in judge.asked) == [("default", 3), ("other", 4)]
    assert len(scanned(store)) == 2
    assert len(scanned(store, tenant="other")) == 3


def test_nothing_that_stays_is_nothing_in_parts(open_spans):
    store = open_spans(judge=EvenTraces())
    store.span_sink.write_spans(span_batch([span(1, trace_id=trace(1))]))
    assert store.spans.flush()
    assert scanned(store) == []
    store.span_sink.write_spans(span_batch([span(2, trace_id=trace(2))]))
    assert len(scanned(store)) == 1


def test_spans_wait_for_a_patient_judge(open_spans):
    judge = EvenTraces(patience_s=3600)
    store = open_spans(judge=judge, max_generation_age_s=0.05)
    store.span_sink.write_spans(span_batch(SPANS))
    time.sleep(0.6)
    assert len(store.spans.memory.snapshot().generations) > 1
    assert judge.asked == []
    assert scanned(store) == in_order(SPANS)
    assert store.spans.flush()  # is in a hurry
    assert scanned(store) == in_order(KEPT)


def test_a_judge_waits_for_no_one_where_memory_is_short(open_spans):
    judge = EvenTraces(patience_s=3600)
    store = open_spans(judge=judge, max_generation_age_s=0.05, max_unflushed_bytes=1)
    store.span_sink.write_spans(span_batch(SPANS))
    end = time.monotonic() + 20
    while not judge.asked and time.monotonic() < end:
        time.sleep(0.05)
    assert judge.asked
