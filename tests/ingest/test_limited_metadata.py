import logging

import numpy as np
import pytest

from swarmscope.ingest.limited_metadata import LimitedMetadataSink, MetadataLimits
from swarmscope.instrument.metrics import LIMITED_METADATA
from swarmscope.model.contracts import MetricMetadata, Receipt
from swarmscope.model.errors import UnavailableError
from swarmscope.model.labels import LabelSets
from swarmscope.model.metrics import MetadataColumns, MetricBatch

FAMILIES, BYTES = "limits.max_metadata_families", "limits.max_metadata_bytes"


class _Inner:
    def __init__(self):
        self.batches = []
        self.error = None

    def write_metrics(self, batch):
        if self.error is not None:
            raise self.error
        self.batches.append(batch)
        return Receipt(samples=batch.n_samples)

    def told(self):
        return [
            entry
            for batch in self.batches
            if (m := batch.metadata) is not None
            for entry in zip(m.metric, m.kind, m.unit, m.help, strict=True)
        ]


def batch_of(*entries, n_samples=1, tenant="default"):
    columns = [list(column) for column in zip(*entries, strict=True)] or [[], [], [], []]
    return MetricBatch(
        series_key=np.arange(n_samples, dtype=np.uint64),
        series_ref=np.arange(n_samples, dtype=np.int64),
        new_labels=LabelSets.from_dicts([]),
        sample_series=np.arange(n_samples, dtype=np.int64),
        ts_ms=np.zeros(n_samples, np.int64),
        value=np.zeros(n_samples),
        metadata=MetadataColumns(*columns),
        tenant=tenant,
    )


def family(name, help_text="what it is"):
    return (name, "gauge", "", help_text)


def sink_of(inner, stored=None, **limits):
    return LimitedMetadataSink(inner, lambda tenant: (stored or {}).get(tenant, {}), lambda _: MetadataLimits(**limits))


def counted(setting):
    return LIMITED_METADATA.labels(limit=setting)._value.get()


def test_repeats_are_not_written_again():
    inner = _Inner()
    sink = sink_of(inner)
    for _ in range(3):
        assert sink.write_metrics(batch_of(family("a"), family("b"), family("a"))).samples == 1
    assert inner.told() == [family("a"), family("b")]
    assert len(inner.batches) == 3
    sink.write_metrics(batch_of(family("a"), n_samples=0))
    assert len(inner.batches) == 3  # there is nothing to commit
    sink.write_metrics(batch_of(family("a", "other words")))
    assert inner.told()[2:] == [family("a", "other words")]


def test_what_an_earlier_process_stored_is_known_and_counts():
    inner = _Inner()
    stored = {"default": {"a": [MetricMetadata("gauge", "", "what it is")], "z": [MetricMetadata("counter", "", "")]}}
    sink = sink_of(inner, stored, max_metadata_families=3)
    sink.write_metrics(batch_of(family("a"), family("b"), family("c")))
    assert inner.told() == [family("b")]


def test_what_is_over_a_limit_is_dropped_counted_and_named_and_samples_stay(caplog):
    inner, before = _Inner(), (counted(FAMILIES), counted(BYTES))
    sink = sink_of(inner, max_metadata_families=2, max_metadata_bytes=40)
    with caplog.at_level(logging.WARNING):
        receipt = sink.write_metrics(batch_of(family("long", "é" * 20), family("a"), family("b"), family("c")))
        assert (receipt.samples, receipt.refused) == (1, {})
        assert sink.write_metrics(batch_of(family("c"), family("d"))).samples == 1
    assert inner.told() == [family("a"), family("b")]
    assert (counted(FAMILIES) - before[0], counted(BYTES) - before[1]) == (3, 1)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2  # not once a request
    assert f"{BYTES} is 40: type, unit and help of 1 metric families of tenant 'default'" in messages[0]
    assert "such as those of 'long'" in messages[0]
    assert f"{FAMILIES} is 2" in messages[1]


def test_tenants_are_counted_apart():
    inner = _Inner()
    sink = sink_of(inner, max_metadata_families=1)
    for tenant in ("one", "two"):
        sink.write_metrics(batch_of(family("a"), family("b"), tenant=tenant))
    assert [(batch.tenant, batch.metadata.metric) for batch in inner.batches] == [("one", ["a"]), ("two", ["a"])]


def test_what_could_not_be_written_is_not_known():
    inner = _Inner()
    sink = sink_of(inner, max_metadata_families=1)
    inner.error = UnavailableError("full")
    for name in ("a", "b"):
        with pytest.raises(UnavailableError):
            sink.write_metrics(batch_of(family(name)))
    inner.error = None
    sink.write_metrics(batch_of(family("b")))
    assert inner.told() == [family("b")]


def test_requests_that_arrive_together_cannot_pass_the_limit_together():
    inner = _Inner()
    sink = sink_of(inner, max_metadata_families=2)
    outer = inner.write_metrics

    def meanwhile(batch):
        inner.write_metrics = outer
        sink.write_metrics(batch_of(family("b"), family("c")))
        return outer(batch)

    inner.write_metrics = meanwhile
    sink.write_metrics(batch_of(family("a")))
    assert sorted(inner.told()) == [family("a"), family("b")]


def test_no_limit():
    inner = _Inner()
    sink_of(inner).write_metrics(batch_of(*(family(f"f{i}", "x" * 10_000) for i in range(100))))
    assert len(inner.told()) == 100
