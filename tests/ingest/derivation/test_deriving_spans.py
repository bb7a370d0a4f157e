"""Metrics out of spans: values by hand, pairs across batches, ends of series, and sums against brute force."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from swarmscope.ingest.derivation.derivation_settings import (
    DerivationSettings,
    ServiceGraphSettings,
    SpanMetricsSettings,
)
from swarmscope.ingest.derivation.deriving_spans import DerivingSpanSink
from swarmscope.ingest.derivation.duration_histograms import native_index
from swarmscope.model.errors import UnavailableError
from swarmscope.model.staleness import is_stale
from swarmscope.testing.plain_spans import NO_SPAN, PlainSpan, span_id, to_batch, trace_id
from swarmscope.testing.sinks import RecordingSink, RecordingSpanSink

_MS = 1_000_000
_START_MS = 1_700_000_000_000


@dataclass
class _Clock:
    ms: int = _START_MS

    def now_ns(self) -> int:
        return self.ms * _MS


class _Deriver:
    def __init__(self, settings: DerivationSettings | None = None) -> None:
        self.clock, self.metrics, self.spans = _Clock(), RecordingSink(), RecordingSpanSink()
        self.sink = DerivingSpanSink(
            self.spans, self.metrics, self.metrics.index, self.clock, settings or DerivationSettings()
        )

    def send(self, *spans: PlainSpan) -> None:
        self.sink.write_spans(to_batch(spans))

    def write(self, after_ms: int = 5000) -> None:
        self.clock.ms += after_ms
        self.sink.write_metrics()

    def values(self, name: str, **labels: str) -> list[float]:
        """The values of the one series that has these labels."""
        found = [(own, value) for own, _, value in self.metrics.samples() if own["__name__"] == name
                 and labels.items() <= own.items()]  # fmt: skip
        assert len({tuple(own.items()) for own, _ in found}) <= 1
        return [value for _, value in found]

    def last(self, name: str) -> dict[tuple[str, str, str], float]:
        """The last value of each edge's series."""
        return {(own.get("client", ""), own.get("server", ""), own.get("connection_type", "")): value
                for own, _, value in self.metrics.samples() if own["__name__"] == name}  # fmt: skip


def _span(number: int, service: str, kind: int, *, parent: int = 0, ms: int = 100, trace: int = 1, status: int = 0,
          name: str = "get", **attributes: str) -> PlainSpan:  # fmt: skip
    begin = _START_MS * _MS
    return PlainSpan(
        trace_id(trace), span_id(number), name, begin, begin + ms * _MS, span_id(parent) if parent else NO_SPAN, kind,
        status, attributes={key.replace("_", "."): value for key, value in attributes.items()},
        resource={"service.name": service},
    )  # fmt: skip


def test_calls_and_latency_begin_at_zero_and_go_on() -> None:
    deriver = _Deriver()
    deriver.send(_span(1, "shop", 2, ms=3), _span(2, "shop", 2, ms=100), _span(3, "shop", 2, ms=20_000, status=2))
    deriver.write()
    deriver.send(_span(4, "shop", 2, ms=4))
    deriver.write()
    ok = {"service": "shop", "span_name": "get", "span_kind": "SPAN_KIND_SERVER", "status_code": "STATUS_CODE_UNSET"}
    assert deriver.values("traces_spanmetrics_calls_total", **ok) == [0, 2, 3]
    assert deriver.values("traces_spanmetrics_calls_total", status_code="STATUS_CODE_ERROR") == [0, 1, 1]
    assert deriver.values("traces_spanmetrics_latency_bucket", le="0.002", **ok) == [0, 0, 0]
    assert deriver.values("traces_spanmetrics_latency_bucket", le="0.004", **ok) == [0, 1, 2]
    assert deriver.values("traces_spanmetrics_latency_bucket", le="16.384", status_code="STATUS_CODE_ERROR") == [0] * 3
    assert deriver.values("traces_spanmetrics_latency_bucket", le="+Inf", **ok) == [0, 2, 3]
    assert deriver.values("traces_spanmetrics_latency_sum", **ok) == pytest.approx([0, 0.103, 0.107])
    assert deriver.values("traces_spanmetrics_latency_count", **ok) == [0, 2, 3]


@pytest.mark.parametrize(
    ("seconds", "index"), [(1.0, 0), (1.0000001, 1), (2.0, 8), (0.5, -8), (0.1, -26), (1.09, 1), (1.0906, 2)]
)
def test_native_buckets(seconds: float, index: int) -> None:
    assert native_index(seconds) == index


def test_native_histogram_and_exemplar() -> None:
    deriver = _Deriver()
    deriver.send(_span(1, "shop", 1, ms=1000), _span(2, "shop", 1, ms=2000), _span(3, "shop", 1, ms=0))
    deriver.write()
    batch = deriver.metrics.batches[0]
    zero, full = batch.histograms.take(np.array([0])), batch.histograms.take(np.array([1]))
    assert zero.count.tolist() == [0]
    assert full.positive.index.tolist() == [0, 8]
    assert full.positive.count.tolist() == [1, 1]
    assert (full.count.tolist(), full.sum.tolist(), full.zero_count.tolist()) == ([3], [3.0], [1])
    assert batch.exemplars is not None
    wanted = {"traceID": trace_id(1).hex(), "spanID": span_id(2).hex()}
    assert batch.exemplars.labels.to_dicts() == [wanted, wanted]
    names = [deriver.metrics.labels[int(batch.series_ref[at])] for at in batch.exemplars.series]
    assert [(own["__name__"], own.get("le")) for own in names] == [
        ("traces_spanmetrics_latency_bucket", "2.048"), ("traces_spanmetrics_latency", None),
    ]  # fmt: skip


def test_dimensions_become_labels() -> None:
    settings = DerivationSettings(SpanMetricsSettings(dimensions=("http.method", "status.code"), status_message=True))
    deriver = _Deriver(settings)
    deriver.send(_span(1, "shop", 1, http_method="GET"), _span(2, "shop", 1, http_method="PUT"))
    deriver.write()
    assert deriver.values("traces_spanmetrics_calls_total", http_method="GET") == [0, 1]
    assert deriver.values("traces_spanmetrics_calls_total", http_method="PUT") == [0, 1]


@pytest.mark.parametrize("client_first", [True, False])
def test_pairs_across_batches(client_first: bool) -> None:
    deriver = _Deriver()
    sides = [_span(1, "web", 3, ms=300), _span(2, "shop", 2, parent=1, ms=200, status=2)]
    for side in sides if client_first else reversed(sides):
        deriver.send(side)
    deriver.write()
    edge = ("web", "shop", "")
    assert deriver.last("traces_service_graph_request_total") == {edge: 1}
    assert deriver.last("traces_service_graph_request_failed_total") == {edge: 1}
    assert deriver.last("traces_service_graph_request_client_seconds_sum") == {edge: pytest.approx(0.3)}
    assert deriver.last("traces_service_graph_request_server_seconds_sum") == {edge: pytest.approx(0.2)}
    assert deriver.last("traces_service_graph_unpaired_spans_total") == {}


def test_databases_messages_and_those_who_send_nothing() -> None:
    deriver = _Deriver()
    deriver.send(
        _span(1, "shop", 2, ms=9),
        _span(2, "shop", 3, parent=1, db_system="postgresql", db_name="orders"),
        _span(3, "shop", 3, parent=1, peer_service="bank"),
        _span(4, "shop", 4, parent=1), _span(5, "mail", 5, parent=4),
        _span(6, "shop", 3, parent=1),
    )  # fmt: skip
    deriver.write(10_000)
    assert deriver.last("traces_service_graph_request_total") == {
        ("user", "shop", "virtual_node"): 1, ("shop", "orders", "database"): 1, ("shop", "bank", "virtual_node"): 1,
        ("shop", "mail", "messaging_system"): 1,
    }  # fmt: skip
    assert deriver.last("traces_service_graph_unpaired_spans_total") == {("shop", "", ""): 1}


def test_a_pair_that_comes_too_late_is_none_and_a_full_table_drops() -> None:
    deriver = _Deriver(DerivationSettings(service_graph=ServiceGraphSettings(max_waiting=1)))
    deriver.send(_span(1, "web", 3), _span(2, "web", 3))
    deriver.write(10_000)
    deriver.send(_span(3, "shop", 2, parent=1))
    deriver.write(10_000)
    assert deriver.last("traces_service_graph_request_total") == {}
    assert deriver.last("traces_service_graph_dropped_spans_total") == {("web", "", ""): 1}
    assert deriver.last("traces_service_graph_unpaired_spans_total") == {("web", "", ""): 1, ("", "shop", ""): 1}


def test_a_silent_series_ends_and_begins_anew() -> None:
    deriver = _Deriver(DerivationSettings(idle_s=60, service_graph=ServiceGraphSettings(enabled=False)))
    deriver.send(_span(1, "shop", 1))
    deriver.write()
    deriver.write(60_000)
    deriver.send(_span(2, "shop", 1))
    deriver.write()
    values = np.array(deriver.values("traces_spanmetrics_calls_total"))
    assert is_stale(values).tolist() == [False, False, True, False, False]
    assert values[[0, 1, 3, 4]].tolist() == [0, 1, 0, 1]
    times = [ts for own, ts, _ in deriver.metrics.samples() if own["__name__"] == "traces_spanmetrics_calls_total"]
    assert times == sorted(set(times))


def test_a_refusing_metric_sink_costs_nothing() -> None:
    deriver = _Deriver()
    deriver.metrics.error = UnavailableError("full")
    deriver.send(_span(1, "shop", 1))
    deriver.write()
    deriver.metrics.error = None
    deriver.write()
    assert deriver.values("traces_spanmetrics_calls_total") == [0, 1]
    assert len(deriver.spans.batches) == 1


def test_operations_beyond_the_bound_share_a_series() -> None:
    deriver = _Deriver(DerivationSettings(SpanMetricsSettings(max_operations=2)))
    deriver.send(*(_span(1 + at, "shop", 1, name=f"n{at}") for at in range(20)))
    deriver.write()
    assert deriver.values("traces_spanmetrics_calls_total", metric_overflow="true") == [0, 18]


@pytest.mark.parametrize("seed", range(5))
def test_sums_equal_brute_force(seed: int) -> None:
    chance = random.Random(seed)
    deriver, counted, edges = _Deriver(), Counter[tuple[str, str]](), Counter[tuple[str, str, str]]()
    spans = []
    for number in range(1, 400):
        client, server = chance.choice("abcd"), chance.choice("abcd")
        spans.append(_span(2 * number, client, 3, trace=number, name=chance.choice("xyz")))
        spans.append(_span(2 * number + 1, server, 2, parent=2 * number, trace=number, name=chance.choice("xyz")))
        edges[client, server, ""] += 1
    chance.shuffle(spans)
    for begin in range(0, len(spans), 37):
        deriver.send(*spans[begin : begin + 37])
        deriver.write(100)
    for span in spans:
        counted[str(span.resource["service.name"]), span.name] += 1
    last = {(own["service"], own["span_name"], own["span_kind"]): value for own, _, value in deriver.metrics.samples()
            if own["__name__"] == "traces_spanmetrics_calls_total"}  # fmt: skip
    summed = Counter[tuple[str, str]]()
    for (service, name, _), value in last.items():
        summed[service, name] += int(value)
    assert summed == counted
    assert deriver.last("traces_service_graph_request_total") == edges
