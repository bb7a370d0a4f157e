"""A restart keeps lines, levels, metadata and counts; retention drops what is too old."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.integration.acknowledged_signals import check_log
from tests.integration.log_reading import ReadLine, get, read_lines
from tests.integration.processes import SwarmscopeServer
from tests.portion import portion

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


def check_service(server: SwarmscopeServer, now_ns: int, service: str) -> None:
    """Fail unless lines, counts and sizes of a service are whole."""
    span = (now_ns - 4 * DAY_NS, now_ns + NS_PER_S)
    check_days(read_lines(server, f'{{service_name="{service}"}}', span), now_ns, service)
    assert ask_counts(server, service, now_ns) == dict.fromkeys(LEVELS.values(), 2 * LINES / 4)
    n_bytes = sum(2 * len(f"line {number} of a über".encode()) for number in range(LINES))
    assert ask_bytes(server, service, now_ns) == str(n_bytes)


def test_a_restart_keeps_everything(start_swarmscope: Callable[..., SwarmscopeServer]) -> None:
    """In the journal, then in parts; last of all some days are older than they may be."""
    server = start_swarmscope({"STORAGE__FLUSH_AFTER": "1h", "LOG__LEVEL": "warning", "RETENTION__LOGS": "7d"})
    now_ns = time.time_ns() // NS_PER_S * NS_PER_S
    export(server, lines_over_days(now_ns, "late"))
    check_service(server, now_ns, "late")
    # A sender that missed the answer and tries again doubles nothing.
    export(server, lines_over_days(now_ns, "late"))
    server.kill()
    server.settings["STORAGE__FLUSH_AFTER"] = "200ms"
    server.start()
    export(server, lines_over_days(now_ns, "early"))
    time.sleep(1)
    export(server, lines_over_days(now_ns, "early"))
    for restart in (None, server.kill, server.stop_cleanly)[: portion(3, 2)]:
        if restart is not None:
            restart()
            server.start()
        for service in ("late", "early"):
            check_service(server, now_ns, service)

    server.settings["RETENTION__LOGS"] = "1d"
    server.restart()
    for service in ("late", "early"):
        found = read_lines(server, f'{{service_name="{service}"}}', (now_ns - 4 * DAY_NS, now_ns + NS_PER_S))
        # Of three days, each with a third of the lines, the newest is whole and the others are behind the bound.
        assert {line.ts_ns for line in found} == {now_ns - number * NS_PER_S for number in range(0, LINES, 3)}
        assert sum(ask_counts(server, service, now_ns).values()) == 2 * LINES / 3
    check_log(server)
