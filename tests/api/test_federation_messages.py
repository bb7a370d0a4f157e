"""Federation as protobuf: what the scraper, which reads by a schema of its own, makes of it; and who is served it."""

import numpy as np
import pytest
from starlette.testclient import TestClient

from swarmscope.api.prometheus.family_messages import MESSAGE_TYPE, takes_messages
from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA, Buckets, HistogramColumns, ResetHint
from swarmscope.model.staleness import STALE_NAN
from swarmscope.receivers.scrape.label_text import parse_series
from swarmscope.receivers.scrape.protobuf_decode import decode_protobuf
from tests.api.served import NOW_MS, MemoryReader, serve

ASKED = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6"
TEXT = "text/plain;version=0.0.4;q=0.4"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        (f"{ASKED},{TEXT},*/*;q=0.1", True),
        (f"{TEXT},{ASKED}", True),
        ("text/plain;q=0.9," + ASKED, False),
        (ASKED.replace("delimited", "text"), False),
        ("application/vnd.google.protobuf;proto=other;encoding=delimited", False),
        ("application/openmetrics-text;version=1.0.0;q=0.8," + ASKED, True),
        ("", False),
        ("*/*", False),
        (ASKED.replace("0.6", "x"), False),
    ],
)
def test_who_gets_messages(accept, wanted):
    assert takes_messages(accept) is wanted


def _histograms(*rows):
    """(series, ms before now, schema, reset hint, sum) of each; buckets -1, 0 and 4 with 1, 2 and 4 observations."""
    series, before, schema, hint, total = zip(*rows, strict=True)
    n = len(rows)
    custom = [1.5 if one == CUSTOM_BUCKETS_SCHEMA else None for one in schema]
    bounds = np.array([bound for bound in custom if bound is not None])
    return HistogramColumns(
        np.array(series), NOW_MS - np.array(before), np.array(schema, np.int8), np.array(hint, np.uint8),
        np.zeros(n, np.bool_), np.full(n, 0.001), np.full(n, 2.0), np.full(n, 9.0), np.array(total),
        Buckets(np.arange(n + 1) * 3, np.array([-1, 0, 4] * n, np.int32), np.array([1.0, 2.0, 4.0] * n)),
        Buckets.empty(n), np.cumsum([0, *(bound is not None for bound in custom)]), bounds,
    )  # fmt: skip


@pytest.fixture
def served():
    reader = MemoryReader()
    names = ("native", "depth", "ended", "custom", "mixed")
    for name in names:
        points = [(NOW_MS - 60_000, 1.0), (NOW_MS - 10_000, 7.5)] if name == "mixed" else []
        reader.add({"__name__": name, "job": 'ü"'}, *points)
    reader.add({"__name__": "plain"}, (NOW_MS - 5000, 2.5))
    reader.histograms = _histograms(
        (0, 90_000, 0, ResetHint.UNKNOWN, 1.0),
        (0, 30_000, 3, ResetHint.UNKNOWN, 12.5),
        (1, 30_000, 0, ResetHint.GAUGE, 3.0),
        (2, 60_000, 0, ResetHint.UNKNOWN, 3.0),
        (2, 30_000, 0, ResetHint.UNKNOWN, STALE_NAN),
        (3, 30_000, CUSTOM_BUCKETS_SCHEMA, ResetHint.UNKNOWN, 3.0),
        (4, 30_000, 0, ResetHint.UNKNOWN, 3.0),
    )
    return serve(reader, external_labels={"site": "here"})


def test_the_newest_histograms_are_served(served):
    path = "/prometheus/federate"
    response = TestClient(served.app).get(path, params={"match[]": '{__name__!=""}'}, headers={"accept": ASKED})
    assert (response.status_code, response.headers["content-type"]) == (200, MESSAGE_TYPE)
    told = decode_protobuf(response.content, seed=1, native=True, classic=False)
    assert sorted((family.name, family.kind) for family in told.families) == [
        ("depth", "gaugehistogram"), ("mixed", "unknown"), ("native", "histogram"), ("plain", "unknown"),
    ]  # fmt: skip
    found = [parse_series(told.series_text(row)) for row in range(told.n_samples)]
    at = {labels["__name__"]: (labels, told.value[row], told.ts_ms[row]) for row, labels in enumerate(found)}
    # The float of `mixed` is newer than its histogram.
    assert at["mixed"] == ({"__name__": "mixed", "job": 'ü"', "site": "here"}, 7.5, NOW_MS - 10_000)
    assert at["plain"] == ({"__name__": "plain", "site": "here"}, 2.5, NOW_MS - 5000)
    columns = told.histograms
    assert len(columns) == 2
    native = columns.sum.tolist().index(12.5)
    assert columns.schema[native] == 3
    assert columns.count[native] == 9.0
    # Field 6 of Metric: 1699999970000 in groups of seven bits, the lowest first.
    assert bytes([6 << 3, 0xD0, 0xE5, 0x93, 0xFF, 0xBC, 0x31]) in response.content
    assert (columns.zero_threshold[native], columns.zero_count[native]) == (0.001, 2.0)
    first, past = columns.positive.offsets[native : native + 2]
    assert columns.positive.index[first:past].tolist() == [-1, 0, 4]
    assert columns.positive.count[first:past].tolist() == [1.0, 2.0, 4.0]


def test_text_leaves_histograms_out_and_every_request_is_counted(served):
    response = TestClient(served.app).get("/prometheus/federate", params={"match[]": '{__name__!=""}'})
    assert response.text == (
        '# TYPE mixed untyped\nmixed{job="ü\\"",site="here"} 7.5 1699999990000\n'
        '# TYPE plain untyped\nplain{site="here"} 2.5 1699999995000\n'
    )
    TestClient(served.app).get("/prometheus/federate", params={"match[]": "x{"})
    assert [(one.endpoint, one.status) for one in served.records] == [("/federate", 200), ("/federate", 400)]
