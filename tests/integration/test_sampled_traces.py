"""Sampling from end to end, with the orchestrator's document of the settings' page: a tenth is kept, errors always."""

from __future__ import annotations

import hashlib
import json
import math
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.integration.log_reading import wait_until
from tests.integration.processes import SwarmscopeServer
from tests.integration.span_sending import SentSpan, send_export
from tests.integration.test_traces_end_to_end import now_ns
from tests.integration.trace_reading import get, get_json, read_trace, trace_ids

__all__ = ["now_ns"]  # a fixture

pytestmark = pytest.mark.slow

SHARE, TENANT = 0.1, "sampled"
N_ORDINARY, N_FAILED, N_SPANS = 3000, 60, 3
TOTAL = (N_ORDINARY + N_FAILED) * N_SPANS
SPANS_PER_REQUEST = 510
SETTINGS = {
    "TRACES__SAMPLING_THRESHOLD": "0",
    "TRACES__SAMPLING_WAIT": "6s",
    "TRACES__KEEP_SLOWEST": "0",
    "RETENTION__TRACES": "1h",
    "STORAGE__FLUSH_AFTER": "1s",
    "DERIVATION__INTERVAL": "1s",
    "LOG__LEVEL": "warning",
}


class AgentServer(SwarmscopeServer):
    """Started with an `agent_config` document."""

    def command(self) -> list[str]:
        document = self.folder / "agent.json"
        document.write_text(json.dumps({"agent_config": {"observability_config": {"sampling_rate": SHARE}}}))
        return [*super().command(), "--agent-config", str(document)]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmscopeServer]:
    made = AgentServer(Path(tmp_path_factory.mktemp("sampled")), SETTINGS)
    made.start()
    yield made
    made.stop_cleanly()


def trace_number(number: int) -> int:
    return int.from_bytes(hashlib.blake2b(b"%d" % number, digest_size=16).digest(), "big")


def decided(server: SwarmscopeServer) -> int:
    lines = get(server, "/metrics").text.splitlines()
    return sum(int(float(line.split()[-1])) for line in lines if line.startswith("swarmscope_sampled_spans_total{"))


def send_all(server: SwarmscopeServer, start_ns: int) -> set[str]:
    """Each trace in three requests, in no order; an error comes with the last. Gives the ids of those with one."""
    chance = random.Random(4)
    failed = set(chance.sample(range(N_ORDINARY + N_FAILED), N_FAILED))
    for number in range(1, N_SPANS + 1):
        order = list(range(N_ORDINARY + N_FAILED))
        chance.shuffle(order)
        spans = [
            SentSpan(trace_number(trace), number, start_ns + number * 1000, parent=number - 1, kind=2,
                     is_error=trace in failed and number == N_SPANS)
            for trace in order
        ]  # fmt: skip
        for begin in range(0, len(spans), SPANS_PER_REQUEST):
            assert send_export(server, spans[begin : begin + SPANS_PER_REQUEST], TENANT).status_code == 200
    return {f"{trace_number(trace):032x}" for trace in failed}


def test_a_tenth_is_kept_and_all_is_counted(server: SwarmscopeServer, now_ns: int) -> None:
    failed = send_all(server, now_ns)
    # A start leaves decisions of its own, over the spans that it warms up with.
    wait_until(lambda: decided(server) >= TOTAL, "a decision for each span")
    # Whole traces, and nothing of the others; what was in memory alone goes a moment after it is decided.
    wait_until(lambda: not trace_ids(server, f"{{ }} | count() != {N_SPANS}", TENANT), "whole traces alone")
    kept = trace_ids(server, tenant=TENANT)
    # What failed is here, and of the rest as much as was asked for (five standard deviations).
    assert failed <= kept
    n_ordinary = len(kept - failed)
    assert abs(n_ordinary - SHARE * N_ORDINARY) < 5 * math.sqrt(N_ORDINARY * SHARE * (1 - SHARE))
    assert len(read_trace(server, min(failed), TENANT)) == N_SPANS
    # Ordinary traces stand for ten each, so numbers are about all that were sent.
    asked = {"q": "{ } | count_over_time()", "since": "1h"}
    (series,) = get_json(server, "/tempo/api/metrics/query", TENANT, **asked)["series"]
    assert series["value"] == pytest.approx(N_SPANS * (n_ordinary / SHARE + N_FAILED), rel=1e-4)
    (series,) = get_json(server, "/tempo/api/metrics/query", TENANT, **asked | {"q": "{ } | rate()"})["series"]
    assert series["value"] * 3600 == pytest.approx(N_SPANS * (n_ordinary / SHARE + N_FAILED), rel=1e-2)
    # What is derived has counted before anything was left out.
    query = {"query": "sum(traces_spanmetrics_calls_total)"}
    (calls,) = get_json(server, "/prometheus/api/v1/query", TENANT, **query)["data"]["result"]
    assert float(calls["value"][1]) == TOTAL
    check_late_spans(server, kept - failed, now_ns)


def test_what_is_older_than_the_retention_is_refused(server: SwarmscopeServer, now_ns: int) -> None:
    spans = [SentSpan(1, 1, now_ns), SentSpan(1, 2, now_ns - 2 * 3_600_000_000_000)]
    answer = send_export(server, spans, "old")
    refused = ExportTraceServiceResponse.FromString(answer.content).partial_success
    assert (refused.rejected_spans, "retention.traces" in refused.error_message) == (1, True), refused
    assert len(read_trace(server, f"{1:032x}", "old")) == 1


def check_late_spans(server: SwarmscopeServer, kept: set[str], start_ns: int) -> None:
    """What comes after the decision shares it."""
    gone = next(number for number in range(N_ORDINARY) if f"{trace_number(number):032x}" not in kept)
    stayed, before = int(min(kept), 16), decided(server)
    for trace in (trace_number(gone), stayed):
        late = SentSpan(trace, N_SPANS + 1, start_ns + 1_000_000, parent=1)
        assert send_export(server, [late], TENANT).status_code == 200
        assert get(server, f"/tempo/api/traces/{trace:032x}", TENANT).status_code == 200  # at once, until it is decided
    wait_until(lambda: decided(server) >= before + 2, "a decision for each late span")
    assert len(read_trace(server, f"{stayed:032x}", TENANT)) == N_SPANS + 1
    wait_until(lambda: get(server, f"/tempo/api/traces/{trace_number(gone):032x}", TENANT).status_code == 404, "gone")
