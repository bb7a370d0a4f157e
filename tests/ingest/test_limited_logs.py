import threading
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.ingest.log_batches import KeptLogs, make_logs

from swarmscope.ingest.limited_logs import LimitedLogSink
from swarmscope.ingest.log_limits import LogLimits, Oversized, truncated
from swarmscope.ingest.log_rates import ByteRates
from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import LimitExceededError
from swarmscope.model.labels import Utf8Column


@dataclass
class _Counts:
    total: int = 0

    def active_total(self, tenant: str | None = None) -> int:
        return self.total


@dataclass
class _Clock:
    ns: int = 0

    def now_ns(self) -> int:
        return self.ns


def _sink(inner, counts=None, clock=None, lines=1000, n_bytes=10**9, **limits) -> LimitedLogSink:
    rates = ByteRates(clock or _Clock())
    of_all = LogLimits(**limits)
    return LimitedLogSink(
        inner, counts or _Counts(), lambda _: of_all, rates, max_lines_in_flight=lines, max_bytes_in_flight=n_bytes
    )


def test_what_is_within_the_limits_goes_on_untouched():
    inner, batch = KeptLogs(), make_logs(["a", "b"], streams=[{"x": "y"}], stream=[0, 1])
    receipt = _sink(inner, max_line_bytes=1, max_streams=1, max_label_names=1).write_logs(batch)
    assert inner.batches == [batch]
    assert (receipt.lines, receipt.refused) == (2, {})


def test_no_limit_is_zero():
    inner = KeptLogs()
    batch = make_logs(
        ["a" * 10_000], streams=[{f"k{i}": "v" * 9999 for i in range(99)}], metadata=[{"k": "v" * 10_000}]
    )
    assert _sink(inner, _Counts(10**9)).write_logs(batch).lines == 1


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_line_bytes": 3}, "limits.logs.max_line_bytes is 3: 1 lines refused, the largest has 4"),
        ({"max_metadata_entries": 1}, "limits.logs.max_metadata_entries is 1: 1 lines refused, the largest has 2"),
        ({"max_metadata_bytes": 5}, "limits.logs.max_metadata_bytes is 5: 1 lines refused, the largest has 6"),
    ],
)
def test_a_line_over_its_limits_is_refused_alone(limits, words):
    inner = KeptLogs()
    batch = make_logs(["abc", "abcd", "x"], metadata=[{}, {"a": "bc", "d": "ef"}, {"a": "b"}])
    receipt = _sink(inner, **limits).write_logs(batch)
    assert (receipt.refused, receipt.retryable, receipt.lines) == ({words: 1}, False, 2)
    assert receipt.limit == words.split()[0]
    assert inner.lines() == ["abc", "x"]
    assert inner.batches[0].metadata.to_dicts() == [{}, {"a": "b"}]


def test_long_lines_are_cut_where_the_settings_say_so():
    inner = KeptLogs()
    sink = _sink(inner, max_line_bytes=4, oversized_lines=Oversized.TRUNCATE)
    receipt = sink.write_logs(make_logs(["abcd", "abcde", "abcé", "ab€x", "a😀"]))
    assert (receipt.refused, receipt.lines) == ({}, 5)
    assert inner.lines() == ["abcd", "abcd", "abc", "ab", "a"]


@given(st.lists(st.text(max_size=12)), st.integers(1, 12))
def test_cut_texts_are_the_longest_that_fit(texts, max_bytes):
    column, n_cut = truncated(Utf8Column.from_strings(texts), max_bytes)
    expected = [text.encode()[:max_bytes].decode("utf-8", "ignore") for text in texts]
    assert column.to_strings() == expected
    assert n_cut == sum(len(text.encode()) > max_bytes for text in texts)


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ({"max_label_names": 1}, 'limits.logs.max_label_names is 1: 1 streams refused, such as {a="b", c="ddd"}'),
        ({"max_label_value_bytes": 2}, "limits.logs.max_label_value_bytes is 2: 1 streams refused"),
    ],
)
def test_offending_streams_are_refused_with_their_lines(limits, words):
    inner = KeptLogs()
    batch = make_logs(
        ["known", "bad", "good", "bad too"], streams=[{"a": "b", "c": "ddd"}, {"e": "f"}], stream=[0, 1, 2, 1]
    )
    receipt = _sink(inner, **limits).write_logs(batch)
    ((reason, count),) = receipt.refused.items()
    assert reason.startswith(words)
    assert (count, receipt.lines, receipt.retryable) == (2, 2, False)
    (kept,) = inner.batches
    assert kept.line.to_strings() == ["known", "good"]
    assert kept.stream.tolist() == [0, 1]
    assert kept.stream_key.tolist() == [1000, 1002]
    assert kept.stream_ref.tolist() == [7, -1]
    assert kept.new_labels.to_dicts() == [{"e": "f"}]


@pytest.mark.parametrize("name", ["max_streams", "max_total_streams"])
def test_streams_above_the_count_may_come_later(name):
    inner = KeptLogs()
    batch = make_logs(["a", "b", "c"], streams=[{"x": "1"}, {"x": "2"}], stream=[0, 1, 2])
    receipt = _sink(inner, _Counts(5), **{name: 6}).write_logs(batch)
    assert receipt.retryable
    assert receipt.limit == f"limits.logs.{name}"
    assert receipt.refused == {f'limits.logs.{name} is 6: 1 streams refused, such as {{x="2"}}': 1}
    assert inner.lines() == ["a", "b"]


class _WaitingSink:
    def __init__(self) -> None:
        self.arrived = threading.Event()
        self.go = threading.Event()

    def write_logs(self, batch) -> Receipt:
        self.arrived.set()
        assert self.go.wait(30)
        return Receipt(lines=len(batch))


@pytest.mark.parametrize(("unit", "room"), [("lines", {"lines": 2}), ("bytes", {"n_bytes": 8})])
def test_what_is_in_flight_is_bounded(unit, room):
    inner = _WaitingSink()
    sink = _sink(inner, **room)
    first = threading.Thread(target=sink.write_logs, args=(make_logs(["aaa", "bbb"]),))
    first.start()
    assert inner.arrived.wait(30)
    with pytest.raises(LimitExceededError, match=f"limits.logs.max_{unit}_in_flight") as caught:
        sink.write_logs(make_logs(["ccc"]))
    assert caught.value.retry_after_s
    inner.go.set()
    first.join()
    # Room again, and a batch larger than the limit passes alone.
    assert sink.write_logs(make_logs(["ccc"] * 5)).lines == 5


def test_streams_on_their_way_count():
    inner = _WaitingSink()
    sink = _sink(inner, max_streams=1)
    first = threading.Thread(target=sink.write_logs, args=(make_logs(["a"], streams=[{"x": "1"}], stream=[1]),))
    first.start()
    assert inner.arrived.wait(30)
    receipt = sink.write_logs(make_logs(["b"], streams=[{"x": "2"}], stream=[1]))
    assert (receipt.lines, receipt.limit) == (0, "limits.logs.max_streams")
    inner.go.set()
    first.join()
    assert sink.write_logs(make_logs(["b"], streams=[{"x": "2"}], stream=[1])).lines == 1


def test_the_rate_is_held_over_ten_seconds():
    clock = _Clock()
    sink = _sink(KeptLogs(), clock=clock, max_bytes_per_second=10)
    assert sink.write_logs(make_logs(["a" * 100])).lines == 1
    with pytest.raises(LimitExceededError, match=r"limits\.logs\.max_bytes_per_second is 10") as caught:
        sink.write_logs(make_logs(["b" * 50]))
    assert caught.value.retry_after_s == pytest.approx(5.0)
    clock.ns += 5_000_000_000
    assert sink.write_logs(make_logs(["b" * 50])).lines == 1
    # What never fits passes once nothing is owed.
    clock.ns += 10_000_000_000
    assert sink.write_logs(make_logs(["c" * 500])).lines == 1


def test_a_clock_that_is_set_back_lets_nobody_wait_for_it_to_catch_up():
    clock = _Clock(10**18)
    rates = ByteRates(clock)
    while not (wait_s := rates.take("a", 1000, 1000)):
        pass
    assert wait_s <= 1.0
    clock.ns -= 3600 * 10**9
    assert rates.take("a", 1000, 1000) == wait_s
    clock.ns += int(wait_s * 10**9)
    assert rates.take("a", 1000, 1000) == 0.0
