"""prometheus-api-client, the Python library that people script against Prometheus with."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_api_client import PrometheusConnect

from swarmscope.model.contracts import MetricMetadata
from tests.api.served import NOW_MS, MemoryReader, listening, serve

NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)


@pytest.fixture(scope="module")
def client() -> Iterator[PrometheusConnect]:
    reader = MemoryReader()
    for job, value in (("a", 1.0), ("b", 0.5)):
        reader.add({"__name__": "up", "job": job}, *[(NOW_MS + n * 15_000, n * value) for n in range(41)])
    reader.families = {"up": [MetricMetadata("gauge", "", "Whether it is up.")]}
    with listening(serve(reader).app) as address:
        yield PrometheusConnect(url=f"{address}/prometheus", disable_ssl=True)


def test_health(client: PrometheusConnect) -> None:
    assert client.check_prometheus_connection()


def test_names_and_labels(client: PrometheusConnect) -> None:
    assert client.all_metrics() == ["up"]
    assert client.get_label_names() == ["__name__", "job"]
    assert client.get_label_values("job") == ["a", "b"]


def test_queries(client: PrometheusConnect) -> None:
    (one,) = client.custom_query('up{job="a"}', params={"time": NOW.timestamp() + 30})
    assert one == {"metric": {"__name__": "up", "job": "a"}, "value": [NOW.timestamp() + 30, "2"]}
    ranged = client.custom_query_range("up", start_time=NOW, end_time=NOW + timedelta(minutes=1), step="15")
    assert [series["values"][-1][1] for series in ranged] == ["4", "2"]
    pieces = client.get_metric_range_data(
        "up", {"job": "a"}, start_time=NOW, end_time=NOW + timedelta(minutes=10), chunk_size=timedelta(minutes=5)
    )
    # The first sample stands on the left end of the first window, which is open in Prometheus 3.
    assert sum(len(piece["values"]) for piece in pieces) == 40


def test_descriptions(client: PrometheusConnect) -> None:
    assert [target["scrapePool"] for target in client.get_targets()["activeTargets"]] == ["a", "b"]
    assert client.get_metric_metadata("up")[0]["type"] == "gauge"
