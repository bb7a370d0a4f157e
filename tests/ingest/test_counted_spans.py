"""What is counted of spans."""

from dataclasses import dataclass

import pytest

from swarmscope.ingest.counted_spans import CountedSpanSink
from swarmscope.instrument.metrics import REGISTRY
from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError
from swarmscope.testing.plain_spans import PlainSpan, span_id, to_batch, trace_id


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@dataclass
class _Answering:
    answer: Receipt | Exception

    def write_spans(self, batch) -> Receipt:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


SPANS = [PlainSpan(trace_id(1), span_id(number)) for number in (1, 2, 3)]


def test_spans_and_refusals_are_counted():
    CountedSpanSink(_Answering(Receipt(spans=2, refused={"why": 1})), "s-protocol").write_spans(to_batch(SPANS))
    assert _value("swarmscope_ingested_spans_total", protocol="s-protocol") == 2
    assert _value("swarmscope_refused_spans_total", protocol="s-protocol") == 1
    assert _value("swarmscope_ingest_batches_total", protocol="s-protocol", outcome="partial") == 1


def test_a_refused_batch_is_counted_by_its_limit():
    sink = CountedSpanSink(_Answering(LimitExceededError("no", limit="limits.traces.x")), "t-protocol")
    with pytest.raises(LimitExceededError):
        sink.write_spans(to_batch(SPANS))
    assert _value("swarmscope_limited_spans_total", limit="limits.traces.x") == 3
    assert _value("swarmscope_refused_spans_total", protocol="t-protocol") == 3
