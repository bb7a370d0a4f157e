"""A restart keeps lines, levels, metadata and counts; retention drops what is too old; a full disk loses nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.integration.acknowledged_lines import EXPORT, Key, Ledger, Load, make_plans, to_export, to_push
from tests.integration.log_reading import ReadLine, get, loki_api, read_lines, wait_until
from tests.integration.processes import SwarmscopeServer
from tests.integration.test_disk_full import fill, small_disk  # noqa: F401  (a fixture)
from tests.integration.test_log_nothing_lost import SETTINGS, check
from tests.integration.test_nothing_lost import check_log, wait_for

pytestmark = pytest.mark.slow

NS_PER_S = 1_000_000_000
DAY_NS = 86_400 * NS_PER_S
LINES = 300
LEVELS = {9: "info", 13: "warn", 17: "error", 21: "fatal"}


def export(server: SwarmscopeServer, request: ExportLogsServiceRequest) -> None:
    headers = {"content-type": "application/x-protobuf"}
    answer = httpx.post(f"{server.address}/v1/logs", content=request.SerializeToString(), headers=headers, timeout=60)
    assert (answer.status_code, answer.content) == (200, b"")


def lines_over_days(now_ns: int, service: str) -> ExportLogsServiceRequest:
    """Lines of three days in two streams, with every field that the store has a column for."""
    request = ExportLogsServiceRequest()
    for pod in ("a", "b"):
        group = request.resource_logs.add()
        for name, value in (("service.name", service), ("k8s.pod.name", pod)):
            group.resource.attributes.add(key=name).value.string_value = value
        records = group.scope_logs.add().log_records
        for number in range(LINES):
            ts_ns = now_ns - number % 3 * DAY_NS - number * NS_PER_S
            severity = list(LEVELS)[number % 4]
            record = records.add(
                time_unix_nano=ts_ns, observed_time_unix_nano=ts_ns + number, severity_number=severity,
                trace_id=bytes([number % 255 + 1]) * 16, span_id=bytes([number % 255 + 1]) * 8,
            )  # fmt: skip
            record.body.string_value = f"line {number} of {pod} über"
            record.attributes.add(key="number").value.int_value = number
            if number % 5 == 0:
                record.attributes.add(key="fifth").value.bool_value = True
    return request


def expected_metadata(number: int, ts_ns: int) -> dict[str, str]:
    severity = list(LEVELS)[number % 4]
    byte = f"{number % 255 + 1:02x}"
    return {
        "number": str(number), "severity_number": str(severity), "observed_timestamp": str(ts_ns + number),
        "trace_id": byte * 16, "span_id": byte * 8, "detected_level": LEVELS[severity],
    } | ({"fifth": "true"} if number % 5 == 0 else {})  # fmt: skip


def check_days(lines: list[ReadLine], now_ns: int, service: str) -> None:
    assert len(lines) == 2 * LINES
    for line in lines:
        pod = line.labels["k8s_pod_name"]
        assert line.labels == {"service_name": service, "k8s_pod_name": pod}
        number = int(line.metadata["number"])
        assert line.ts_ns == now_ns - number % 3 * DAY_NS - number * NS_PER_S
        assert line.line == f"line {number} of {pod} über"
        assert line.metadata == expected_metadata(number, line.ts_ns)


def ask_counts(server: SwarmscopeServer, service: str, now_ns: int) -> dict[str, float]:
    query = f'sum by (detected_level) (count_over_time({{service_name="{service}"}}[4d]))'
    found = get(server, "query", query=query, time=now_ns + NS_PER_S)["result"]
    return {each["metric"]["detected_level"]: float(each["value"][1]) for each in found}


def ask_bytes(server: SwarmscopeServer, service: str, now_ns: int) -> Any:
    query = f'sum(bytes_over_time({{service_name="{service}"}}[4d]))'
    return get(server, "query", query=query, time=now_ns + NS_PER_S)["result"][0]["value"][1]


def unflushed(server: SwarmscopeServer) -> int:
    return len(list((server.data / "journal-logs").glob("*.journal")))


@pytest.mark.parametrize("flush_after", ["1h", "200ms"])
def test_a_restart_keeps_everything(start_swarmscope: Callable[..., SwarmscopeServer], flush_after: str) -> None:
    server = start_swarmscope({"STORAGE__FLUSH_AFTER": flush_after, "LOG__LEVEL": "warning"})
    now_ns = time.time_ns() // NS_PER_S * NS_PER_S
    span = (now_ns - 4 * DAY_NS, now_ns + NS_PER_S)
    export(server, lines_over_days(now_ns, "kept"))
    n_bytes = str(sum(2 * len(f"line {number} of a über".encode()) for number in range(LINES)))
    for restart in (None, server.kill, server.stop_cleanly):
        if restart is not None:
            restart()
            server.start()
        check_days(read_lines(server, '{service_name="kept"}', span), now_ns, "kept")
        assert ask_counts(server, "kept", now_ns) == dict.fromkeys(LEVELS.values(), 2 * LINES / 4)
        assert ask_bytes(server, "kept", now_ns) == n_bytes
        # A sender that missed the answer and tries again doubles nothing.
        if restart is None:
            export(server, lines_over_days(now_ns, "kept"))
    check_log(server)


def test_retention_drops_old_days(start_swarmscope: Callable[..., SwarmscopeServer]) -> None:
    server = start_swarmscope({"STORAGE__FLUSH_AFTER": "100ms", "RETENTION__LOGS": "7d"})
    now_ns = time.time_ns() // NS_PER_S * NS_PER_S
    span = (now_ns - 4 * DAY_NS, now_ns + NS_PER_S)
    export(server, lines_over_days(now_ns, "old"))
    assert len(read_lines(server, '{service_name="old"}', span)) == 2 * LINES
    server.settings["RETENTION__LOGS"] = "1d"
    server.restart()
    found = read_lines(server, '{service_name="old"}', span)
    # Of three days, each with a third of the lines, the newest is whole and the others are behind the bound.
    assert {line.ts_ns for line in found} == {now_ns - number * NS_PER_S for number in range(0, LINES, 3)}
    assert sum(ask_counts(server, "old", now_ns).values()) == 2 * LINES / 3


@pytest.fixture
def full_server(small_disk: Path, tmp_path: Path) -> Iterator[SwarmscopeServer]:  # noqa: F811
    made = SwarmscopeServer(tmp_path, SETTINGS)
    made.data = small_disk / "data"
    yield made
    if made.process is not None:
        made.kill()


def probe(server: SwarmscopeServer, keys: list[Key]) -> list[httpx.Response]:
    """The same lines over both protocols."""
    protobuf = {"content-type": "application/x-protobuf"}
    return [
        httpx.post(f"{loki_api(server)}/push", content=to_push(keys), headers=protobuf, timeout=60),
        httpx.post(f"{server.address}/v1/logs", content=to_export(keys), headers=protobuf, timeout=60),
    ]


def expect_refusals(server: SwarmscopeServer, ledger: Ledger, ballast: Path) -> None:
    """Every protocol is told to come back, and why."""
    keys = make_plans(9, 1)[0].next_keys()
    keys = [key._replace(stream=9_000_000 + number) for number, key in enumerate(keys)]
    ledger.sent.update(keys)

    def is_full() -> bool:
        fill(ballast)  # what a merge has given back
        return {answer.status_code for answer in probe(server, keys)} == {503}

    wait_until(is_full, "senders are not told")
    for answer in probe(server, keys):
        assert int(answer.headers["retry-after"]) >= 1
        assert "No space left on device" in answer.text, answer.text
    with grpc.insecure_channel(f"127.0.0.1:{server.otlp_grpc_port}") as channel, pytest.raises(grpc.RpcError) as told:
        channel.unary_unary(EXPORT)(to_export(keys), timeout=60)
    assert told.value.code() is grpc.StatusCode.UNAVAILABLE
    assert httpx.get(f"{server.address}/-/healthy").status_code == 200


@pytest.mark.parametrize("flush_after", ["1h"])
def test_full_disk(full_server: SwarmscopeServer, small_disk: Path, flush_after: str) -> None:  # noqa: F811
    server = full_server
    server.settings["STORAGE__FLUSH_AFTER"] = flush_after
    server.start()
    plans, ledger, ballast = make_plans(3, 1), Ledger(), small_disk / "ballast"
    load = Load(server, plans, ledger)
    wait_for(ledger, 500)
    fill(ballast)
    time.sleep(1)
    load.stop()
    expect_refusals(server, ledger, ballast)
    seen = check(server, ledger, set())

    ballast.unlink()
    load = Load(server, plans, ledger)
    wait_for(ledger, 500)
    load.stop()
    seen = check(server, ledger, seen)
    server.kill()
    server.start()
    check(server, ledger, seen)
    server.stop_cleanly()
