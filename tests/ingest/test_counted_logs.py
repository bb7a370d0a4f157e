from dataclasses import dataclass

import pytest
from tests.ingest.log_batches import make_logs

from swarmscope.ingest.counted_logs import CountedLogSink
from swarmscope.instrument.metrics import REGISTRY
from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@dataclass
class _Answering:
    answer: Receipt | Exception

    def write_logs(self, batch) -> Receipt:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def test_lines_and_refusals_are_counted():
    sink = CountedLogSink(_Answering(Receipt(lines=2, refused={"why": 1})), "a-protocol")
    sink.write_logs(make_logs(["abc", "d", "e"]))
    assert _value("swarmscope_ingested_lines_total", protocol="a-protocol") == 2
    assert _value("swarmscope_received_line_bytes_total", protocol="a-protocol") == 5
    assert _value("swarmscope_refused_lines_total", protocol="a-protocol") == 1
    assert _value("swarmscope_ingest_batches_total", protocol="a-protocol", outcome="partial") == 1


def test_a_refused_batch_is_counted_by_its_limit():
    sink = CountedLogSink(_Answering(LimitExceededError("no", limit="limits.logs.x")), "b-protocol")
    with pytest.raises(LimitExceededError):
        sink.write_logs(make_logs(["a", "b"]))
    assert _value("swarmscope_limited_lines_total", limit="limits.logs.x") == 2
    assert _value("swarmscope_refused_lines_total", protocol="b-protocol") == 2
    assert _value("swarmscope_ingest_batches_total", protocol="b-protocol", outcome="refused") == 1


def test_a_failed_batch_is_counted():
    sink = CountedLogSink(_Answering(RuntimeError()), "c-protocol")
    with pytest.raises(RuntimeError):
        sink.write_logs(make_logs(["a"]))
    assert _value("swarmscope_ingest_batches_total", protocol="c-protocol", outcome="failed") == 1
