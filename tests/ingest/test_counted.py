import pytest
from tests.ingest.test_limited import make_batch as _batch

from swarmscope.ingest.counted import CountedSink
from swarmscope.instrument.metrics import REGISTRY
from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError


def _value(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class _Answering:
    def __init__(self, answer):
        self._answer = answer

    def write_metrics(self, batch):
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


def test_what_was_taken_and_refused_is_counted():
    receipt = Receipt(samples=5, histograms=2, exemplars=1, refused={"reason": 3})
    assert CountedSink(_Answering(receipt), "p1").write_metrics(_batch([], known=10)) is receipt
    assert _value("swarmscope_ingested_samples_total", protocol="p1") == 7
    assert _value("swarmscope_ingested_exemplars_total", protocol="p1") == 1
    assert _value("swarmscope_refused_samples_total", protocol="p1") == 3
    assert _value("swarmscope_ingest_batches_total", protocol="p1", outcome="partial") == 1
    assert _value("swarmscope_ingest_duration_seconds_count", protocol="p1") == 1
    assert _value("swarmscope_ingest_batches_in_flight", protocol="p1") == 0


def test_a_refused_batch_counts_all_its_samples():
    error = LimitExceededError("full", limit="limits.test_only")
    with pytest.raises(LimitExceededError):
        CountedSink(_Answering(error), "p2").write_metrics(_batch([], known=4))
    assert _value("swarmscope_refused_samples_total", protocol="p2") == 4
    assert _value("swarmscope_limited_samples_total", limit="limits.test_only") == 4
    assert _value("swarmscope_ingest_batches_total", protocol="p2", outcome="refused") == 1


def test_a_failing_store_is_counted_as_failed():
    with pytest.raises(RuntimeError):
        CountedSink(_Answering(RuntimeError("disk")), "p3").write_metrics(_batch([], known=4))
    assert _value("swarmscope_ingest_batches_total", protocol="p3", outcome="failed") == 1
