"""The text is read back by Prometheus' own parser and checked by promtool."""

import shutil
import subprocess

import pytest
from prometheus_client.parser import text_string_to_metric_families

from swarmscope.sdk.intelligence.families import (
    CounterFamily,
    GaugeFamily,
    HistogramFamily,
    SummaryFamily,
    to_exposition,
)


def _families():
    gauge = GaugeFamily("g", 'A "gauge"\nof\\ two lines.', ("name",), 60)
    gauge.set(0.25, 'quo"te\\ and\nline')
    counter = CounterFamily("c_total", "A counter.", ())
    counter.add(2)
    counter.add(1.5)
    histogram = HistogramFamily("h", "A histogram.", ("region",), (0.1, 1.0))
    for value in (0.05, 0.1, 0.5, 1.0, 7.0):
        histogram.record(value, "r")
    summary = SummaryFamily("s", "A summary.", ("group",))
    for value in range(1, 101):
        summary.record(value, "x")
    return gauge, counter, histogram, summary, GaugeFamily("empty", "Nothing.", (), 60)


def test_text_says_the_same_to_prometheus_parser():
    text = to_exposition(_families())
    found = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert found == {
        ("g", ("name", 'quo"te\\ and\nline')): 0.25,
        ("c_total",): 3.5,
        ("h_bucket", ("le", "0.1"), ("region", "r")): 2,
        ("h_bucket", ("le", "1.0"), ("region", "r")): 4,
        ("h_bucket", ("le", "+Inf"), ("region", "r")): 5,
        ("h_sum", ("region", "r")): pytest.approx(8.65),
        ("h_count", ("region", "r")): 5,
        ("s", ("group", "x"), ("quantile", "0.5")): 50,
        ("s", ("group", "x"), ("quantile", "0.9")): 90,
        ("s", ("group", "x"), ("quantile", "0.99")): 99,
        ("s_sum", ("group", "x")): 5050,
        ("s_count", ("group", "x")): 100,
    }
    kinds = {family.name: family.type for family in text_string_to_metric_families(text)}
    assert kinds == {"g": "gauge", "c": "counter", "h": "histogram", "s": "summary"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="no promtool on this machine")
def test_text_is_accepted_by_promtool():
    done = subprocess.run(["promtool", "check", "metrics"], input=to_exposition(_families()).encode(), check=False)
    assert done.returncode in (0, 3)  # 3: names without a unit, and so on


def test_old_gauges_disappear():
    gauge = GaugeFamily("g", "", ("name",), -1)
    gauge.set(1, "x")
    assert gauge.samples() == []


def test_number_of_series_is_bounded(caplog):
    counter = CounterFamily("c_total", "", ("name",))
    for i in range(1005):
        counter.add(1, str(i))
    counter.add(1, "0")
    samples = counter.samples()
    assert len(samples) == 1000
    assert samples[0].value == 2
    assert len(caplog.records) == 1
