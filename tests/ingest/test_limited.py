import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from swarmscope.ingest.limited import LimitedSink
from swarmscope.ingest.series_limits import SeriesLimits, group_by_metric, judge_shape
from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.labels import LabelSets
from swarmscope.model.metrics import Buckets, ExemplarColumns, HistogramColumns, MetadataColumns, MetricBatch


@dataclass
class _Counts:
    total: int = 0
    metrics: dict[str, int] = field(default_factory=dict)

    def active_total(self, tenant: str | None = None) -> int:
        return self.total

    def active_of_metric(self, tenant: str, metric: str) -> int:
        return self.metrics.get(metric, 0)


class _RecordingSink:
    def __init__(self) -> None:
        self.batches: list[MetricBatch] = []

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        self.batches.append(batch)
        return Receipt(samples=len(batch.ts_ms), histograms=len(batch.histograms))


def make_batch(labels: list[dict[str, str]], known: int = 0, tenant: str = "default") -> MetricBatch:
    """`known` known series first, then one series for each of `labels`; series i has sample value i."""
    n = known + len(labels)
    refs = np.array([*range(100, 100 + known), *[-1] * len(labels)], np.int64)
    return MetricBatch(
        series_key=np.arange(n, dtype=np.uint64),
        series_ref=refs,
        new_labels=LabelSets.from_dicts(labels),
        sample_series=np.arange(n, dtype=np.int64),
        ts_ms=np.arange(n, dtype=np.int64) + 1000,
        value=np.arange(n, dtype=np.float64),
        tenant=tenant,
    )


def _named(*names: str) -> list[dict[str, str]]:
    return [{"__name__": name, "i": str(i)} for i, name in enumerate(names)]


def _sink(inner, counts=None, in_flight=10_000, **limits) -> LimitedSink:
    return LimitedSink(inner, counts or _Counts(), lambda _: SeriesLimits(**limits), max_samples_in_flight=in_flight)


def test_everything_within_the_limits_goes_on_untouched():
    inner, batch = _RecordingSink(), make_batch(_named("a", "b"), known=1)
    receipt = _sink(inner, max_active_series=2, max_label_names=2).write_metrics(batch)
    assert inner.batches == [batch]
    assert (receipt.samples, receipt.refused) == (3, {})


def test_no_limit_is_zero():
    inner = _RecordingSink()
    _sink(inner, _Counts(10**9)).write_metrics(make_batch(_named("a") * 100))
    assert inner.batches[0].n_series == 100


@pytest.mark.parametrize(
    ("limits", "setting"),
    [
        ({"max_label_names": 2}, "limits.max_label_names is 2"),
        ({"max_label_name_bytes": 10}, "limits.max_label_name_bytes is 10"),
        ({"max_label_value_bytes": 5}, "limits.max_label_value_bytes is 5"),
    ],
)
def test_offending_labels_are_refused_and_the_rest_is_kept(limits, setting):
    inner = _RecordingSink()
    bad = {"__name__": "bad", "a_long_name": "valuevalue", "c": "d"}
    receipt = _sink(inner, **limits).write_metrics(make_batch([{"__name__": "ok1"}, bad, {"__name__": "ok2"}], known=1))
    (rest,) = inner.batches
    assert rest.new_labels.to_dicts() == [{"__name__": "ok1"}, {"__name__": "ok2"}]
    assert rest.value.tolist() == [0.0, 1.0, 3.0]
    assert rest.sample_series.tolist() == [0, 1, 2]
    assert rest.series_ref.tolist() == [100, -1, -1]
    assert rest.series_key.tolist() == [0, 1, 3]
    ((reason, lost),) = receipt.refused.items()
    assert reason.startswith(setting)
    assert 'bad{a_long_name="valuevalue", c="d"}' in reason
    assert (lost, receipt.retryable, receipt.samples) == (1, False, 3)
    assert setting.startswith(receipt.limit)


def test_length_exactly_at_the_limit_is_admitted_in_bytes_not_characters():
    labels = LabelSets.from_dicts([{"n": "äää"}, {"n": "ääää"}])  # 6 and 8 bytes
    assert judge_shape(labels, SeriesLimits(max_label_value_bytes=6)).tolist() == [0, 3]


def test_sets_without_labels_do_not_shift_the_blame():
    labels = LabelSets.from_dicts([{}, {"a": "xx"}, {}, {}, {"b": "y", "c": "zzz"}, {}])
    assert judge_shape(labels, SeriesLimits(max_label_value_bytes=1)).tolist() == [0, 3, 0, 0, 3, 0]


def test_active_series_of_a_tenant():
    inner = _RecordingSink()
    receipt = _sink(inner, _Counts(8), max_active_series=10).write_metrics(
        make_batch(_named("a", "b", "c", "d"), known=2)
    )
    assert inner.batches[0].new_labels.to_dicts() == _named("a", "b")
    ((reason, lost),) = receipt.refused.items()
    assert lost == 2
    assert reason.startswith("limits.max_active_series is 10: 2 series refused, such as c{")
    assert receipt.retryable is True
    assert receipt.limit == "limits.max_active_series"


def test_known_series_pass_a_full_catalogue():
    inner = _RecordingSink()
    receipt = _sink(inner, _Counts(10), max_active_series=10).write_metrics(make_batch(_named("a"), known=3))
    assert inner.batches[0].series_ref.tolist() == [100, 101, 102]
    assert receipt.samples == 3


def test_series_per_metric_counts_each_metric_alone():
    inner = _RecordingSink()
    counts = _Counts(6, {"a": 4, "b": 1})
    sink = _sink(inner, counts, max_series_per_metric=5)
    receipt = sink.write_metrics(make_batch(_named("a", "b", "a", "b", "a")))
    kept = [labels["__name__"] + labels["i"] for labels in inner.batches[0].new_labels.to_dicts()]
    assert kept == ["a0", "b1", "b3"]
    ((reason, lost),) = receipt.refused.items()
    assert (lost, receipt.retryable) == (2, True)
    assert reason.startswith("limits.max_series_per_metric is 5")


def test_total_series_of_all_tenants():
    inner = _RecordingSink()
    receipt = _sink(inner, _Counts(7), max_total_series=8).write_metrics(make_batch(_named("a", "b")))
    assert inner.batches[0].new_labels.to_dicts() == _named("a")
    assert receipt.limit == "limits.max_total_series"


def test_nothing_left_does_not_reach_the_store():
    inner = _RecordingSink()
    receipt = _sink(inner, _Counts(5), max_active_series=5).write_metrics(make_batch(_named("a")))
    assert inner.batches == []
    assert sum(receipt.refused.values()) == 1


def test_metadata_alone_still_reaches_the_store():
    inner = _RecordingSink()
    batch = make_batch(_named("a"))
    batch.metadata = MetadataColumns(["a"], ["gauge"], [""], ["help"])
    _sink(inner, _Counts(5), max_active_series=5).write_metrics(batch)
    assert inner.batches[0].metadata is batch.metadata


def test_histograms_and_exemplars_of_refused_series_go_too():
    batch = make_batch(_named("a", "b" * 9, "c"))
    n = 3
    batch.histograms = HistogramColumns(
        series=np.array([0, 1, 2]), ts_ms=np.array([1, 2, 3]), schema=np.array([0, 1, -53], np.int8),
        reset_hint=np.zeros(n, np.uint8), is_float=np.zeros(n, np.bool_), zero_threshold=np.zeros(n),
        zero_count=np.zeros(n), count=np.array([1.0, 2, 3]), sum=np.array([10.0, 20, 30]),
        positive=Buckets(np.array([0, 1, 3, 4]), np.array([7, 8, 9, 10], np.int32), np.array([1.0, 1, 1, 3])),
        negative=Buckets.empty(n), custom_offsets=np.array([0, 0, 0, 2]), custom_bounds=np.array([0.5, 1.5]),
    )  # fmt: skip
    batch.exemplars = ExemplarColumns(
        np.array([1, 2]), np.array([5, 6]), np.array([0.1, 0.2]), LabelSets.from_dicts([{"trace": "x"}, {"trace": "y"}])
    )
    inner = _RecordingSink()
    receipt = _sink(inner, max_label_value_bytes=5).write_metrics(batch)
    (rest,) = inner.batches
    histograms = rest.histograms
    assert histograms.series.tolist() == [0, 1]
    assert histograms.sum.tolist() == [10, 30]
    assert histograms.positive.offsets.tolist() == [0, 1, 2]
    assert histograms.positive.index.tolist() == [7, 10]
    assert histograms.negative.offsets.tolist() == [0, 0, 0]
    assert histograms.custom_offsets.tolist() == [0, 0, 2]
    assert histograms.custom_bounds.tolist() == [0.5, 1.5]
    assert rest.exemplars.series.tolist() == [1]
    assert rest.exemplars.labels.to_dicts() == [{"trace": "y"}]
    assert sum(receipt.refused.values()) == 2  # one sample, one histogram


class _BlockingSink(_RecordingSink):
    def __init__(self) -> None:
        super().__init__()
        self.entered, self.release = threading.Semaphore(0), threading.Event()

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        self.entered.release()
        assert self.release.wait(10)
        return super().write_metrics(batch)


def _in_background(sink: LimitedSink, batch: MetricBatch) -> threading.Thread:
    thread = threading.Thread(target=sink.write_metrics, args=(batch,))
    thread.start()
    return thread


def test_samples_in_flight_are_bounded_and_told_with_a_retry_hint():
    inner = _BlockingSink()
    sink = _sink(inner, in_flight=5)
    first = _in_background(sink, make_batch([], known=4))
    assert inner.entered.acquire(timeout=10)
    with pytest.raises(LimitExceededError) as caught:
        sink.write_metrics(make_batch([], known=2))
    assert caught.value.limit == "limits.max_samples_in_flight"
    assert caught.value.retry_after_s > 0
    inner.release.set()
    first.join()
    sink.write_metrics(make_batch([], known=2))
    assert len(inner.batches) == 2


def test_one_batch_above_the_limit_is_let_through_alone():
    inner = _RecordingSink()
    _sink(inner, in_flight=5).write_metrics(make_batch([], known=6))
    assert len(inner.batches) == 1


def test_series_that_arrive_together_share_the_room():
    inner = _BlockingSink()
    sink = _sink(inner, _Counts(7), max_active_series=10)
    first = _in_background(sink, make_batch(_named("a", "b")))
    assert inner.entered.acquire(timeout=10)
    second_inner = []
    second = threading.Thread(target=lambda: second_inner.append(sink.write_metrics(make_batch(_named("c", "d", "e")))))
    second.start()
    assert inner.entered.acquire(timeout=10)
    inner.release.set()
    first.join()
    second.join()
    assert sum(second_inner[0].refused.values()) == 2


def test_room_is_given_back_when_the_store_fails():
    class Failing:
        def write_metrics(self, batch):
            raise RuntimeError("disk")

    sink = _sink(Failing(), _Counts(0), max_active_series=2, in_flight=2, max_series_per_metric=1)
    for _ in range(3):
        with pytest.raises(RuntimeError):
            sink.write_metrics(make_batch(_named("a", "b")))


def test_groups_by_metric_name_wherever_the_name_stands():
    groups = group_by_metric(
        LabelSets.from_dicts([{"z": "1", "__name__": "up"}, {"__name__": "down"}, {"a": "b"}, {"__name__": "up"}])
    )
    assert [groups.names[number] for number in groups.member.tolist()] == ["up", "down", "", "up"]


def test_series_with_broken_utf8_is_named_all_the_same():
    batch = make_batch([{"__name__": "abcdefgh"}])
    broken = LabelSets.from_dicts([{"__name__": "xxxxxxxx"}])
    buffer = broken.values.buffer.copy()
    buffer[0] = 0xFF
    values = type(broken.values)(buffer, broken.values.start, broken.values.length)
    batch.new_labels = LabelSets(broken.offsets, broken.names, values)
    receipt = _sink(_RecordingSink(), max_label_value_bytes=3).write_metrics(batch)
    assert "\ufffdxxxxxxx{}" in next(iter(receipt.refused))


def test_forged_tenants_are_not_remembered():
    sink = _sink(_RecordingSink())
    for number in range(50):
        sink.write_metrics(make_batch(_named("a"), tenant=f"tenant-{number}"))
    assert len(sink._arriving) == 0
