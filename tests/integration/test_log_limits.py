"""Every limit of logs, from the sender's side: status, the limit's name, when to come back; the rest is kept."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import cramjam
import grpc
import httpx
import pytest
from google.rpc import error_details_pb2, status_pb2
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse

from tests.integration.damaged_bodies import bombs
from tests.integration.damaged_log_bodies import push
from tests.integration.log_reading import loki_api, read_lines
from tests.integration.processes import SwarmscopeServer

pytestmark = pytest.mark.slow

EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
NS_PER_S = 1_000_000_000
DAY_NS = 86_400 * NS_PER_S
MAX_UNPACKED = 256 << 10
SETTINGS = {
    "RETENTION__LOGS": "2d",
    "STORAGE__MAX_FUTURE": "1h",
    "LIMITS__LOGS__MAX_STREAMS": "5",
    "LIMITS__LOGS__MAX_LABEL_NAMES": "4",
    "LIMITS__LOGS__MAX_LABEL_NAME_BYTES": "20",
    "LIMITS__LOGS__MAX_LABEL_VALUE_BYTES": "30",
    "LIMITS__LOGS__MAX_LINE_BYTES": "100",
    "LIMITS__LOGS__MAX_METADATA_ENTRIES": "8",
    "LIMITS__LOGS__MAX_METADATA_BYTES": "200",
    "LIMITS__MAX_BODY_BYTES": "64KiB",
    "LIMITS__MAX_BODY_BYTES_DECOMPRESSED": "256KiB",
    "LIMITS__TENANTS": json.dumps(
        {
            "large": {"logs": {"max_streams": 20, "max_line_bytes": 1000}},
            "cut": {"logs": {"oversized_lines": "truncate", "max_line_bytes": 9}},
            "slow": {"logs": {"max_bytes_per_second": 10}},
        }
    ),
    "OTLP__MAX_JSON_BYTES": "32KiB",
}
Entries = list[tuple[int, str, dict[str, str]]]
Streams = list[tuple[dict[str, str], Entries]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmscopeServer]:
    made = SwarmscopeServer(tmp_path_factory.mktemp("log-limits"), SETTINGS)
    made.start()
    yield made
    made.stop_cleanly()


@pytest.fixture
def now_ns() -> int:
    return time.time_ns()


def send_push(server: SwarmscopeServer, streams: Streams, tenant: str) -> httpx.Response:
    texts = [("{" + ",".join(f'{name}="{value}"' for name, value in labels.items()) + "}", entries)
             for labels, entries in streams]  # fmt: skip
    headers = {"content-type": "application/x-protobuf", "x-scope-orgid": tenant}
    wire = bytes(cramjam.snappy.compress_raw(push(texts)))
    return httpx.post(f"{loki_api(server)}/push", content=wire, headers=headers, timeout=60)


def request(streams: Streams) -> ExportLogsServiceRequest:
    """The same lines over OTLP: a label is a resource attribute of a name that becomes one."""
    made = ExportLogsServiceRequest()
    for labels, entries in streams:
        group = made.resource_logs.add()
        for name, value in labels.items():
            attribute = {"app": "service.name", "n": "service.instance.id"}[name]
            group.resource.attributes.add(key=attribute).value.string_value = value
        records = group.scope_logs.add().log_records
        for ts_ns, line, metadata in entries:
            record = records.add(time_unix_nano=ts_ns)
            record.body.string_value = line
            for name, value in metadata.items():
                record.attributes.add(key=name).value.string_value = value
    return made


def send_export(server: SwarmscopeServer, streams: Streams, tenant: str) -> httpx.Response:
    headers = {"content-type": "application/x-protobuf", "x-scope-orgid": tenant}
    body = request(streams).SerializeToString()
    return httpx.post(f"{server.address}/v1/logs", content=body, headers=headers, timeout=60)


def partial_of(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.content
    return ExportLogsServiceResponse.FromString(answer.content).partial_success


def kept(server: SwarmscopeServer, tenant: str) -> list[str]:
    """The lines of a tenant, whatever their time."""
    now_ns = time.time_ns()
    found = read_lines(server, '{service_name=~".+"}', (now_ns - 3 * DAY_NS, now_ns + DAY_NS), tenant)
    return sorted(line.line for line in found)


@pytest.mark.parametrize(
    ("line", "metadata", "limit"),
    [
        ("x" * 101, {}, "limits.logs.max_line_bytes is 100"),
        ("x", {f"m{number}": "v" for number in range(9)}, "limits.logs.max_metadata_entries is 8"),
        ("x", {"m": "v" * 200}, "limits.logs.max_metadata_bytes is 200"),
    ],
)
def test_sizes_of_lines(server: SwarmscopeServer, now_ns: int, line: str, metadata: dict[str, str], limit: str) -> None:
    tenant = limit.split()[0].rpartition(".")[2]
    streams: Streams = [({"app": "a"}, [(now_ns, "good", {}), (now_ns, line, metadata), (now_ns + 1, "too", {})])]
    answer = send_push(server, streams, f"push-{tenant}")
    # Sending it again cannot help.
    assert (answer.status_code, limit in answer.text, "retry-after" in answer.headers) == (400, True, False), (
        answer.text
    )
    assert "1 lines refused" in answer.text
    partial = partial_of(send_export(server, streams, f"otlp-{tenant}"))
    assert (partial.rejected_log_records, limit in partial.error_message) == (1, True)
    for protocol in ("push", "otlp"):
        assert kept(server, f"{protocol}-{tenant}") == ["good", "too"]


def test_a_tenant_whose_long_lines_are_cut(server: SwarmscopeServer, now_ns: int) -> None:
    streams: Streams = [({"app": "a"}, [(now_ns, "12345678ü0", {}), (now_ns + 1, "123456789", {})])]
    assert send_push(server, streams, "cut").status_code == 204
    assert kept(server, "cut") == ["12345678", "123456789"]  # never inside a character


@pytest.mark.parametrize(
    ("labels", "limit"),
    [
        ({f"l{number}": "v" for number in range(4)}, "limits.logs.max_label_names is 4"),
        ({"l" * 21: "v"}, "limits.logs.max_label_name_bytes is 20"),
        ({"l": "v" * 31}, "limits.logs.max_label_value_bytes is 30"),
    ],
)
def test_shape_of_labels(server: SwarmscopeServer, now_ns: int, labels: dict[str, str], limit: str) -> None:
    tenant = limit.split()[0]
    streams: Streams = [({"app": "bad", **labels}, [(now_ns, "bad", {})]), ({"app": "a"}, [(now_ns, "good", {})])]
    answer = send_push(server, streams, tenant)
    assert (answer.status_code, limit in answer.text, "retry-after" in answer.headers) == (400, True, False), (
        answer.text
    )
    assert kept(server, tenant) == ["good"]


def streams_of(count: int, now_ns: int, first: int = 0) -> Streams:
    return [({"app": "a", "n": str(number)}, [(now_ns, f"line {number}", {})]) for number in range(first, count)]


def test_number_of_streams(server: SwarmscopeServer, now_ns: int) -> None:
    answer = send_push(server, streams_of(8, now_ns), "many-push")
    assert (answer.status_code, int(answer.headers["retry-after"]) >= 1) == (429, True)
    assert "limits.logs.max_streams is 5: 3 streams refused" in answer.text
    partial = partial_of(send_export(server, streams_of(8, now_ns), "many-otlp"))
    assert (partial.rejected_log_records, "limits.logs.max_streams is 5" in partial.error_message) == (3, True)
    for tenant in ("many-push", "many-otlp"):
        assert len(kept(server, tenant)) == 5
    # What is known goes on, whatever is full; when all is refused the sender is told to come back.
    known = int(kept(server, "many-otlp")[0].removeprefix("line "))
    again = streams_of(known + 1, now_ns + 1, first=known)
    assert partial_of(send_export(server, again, "many-otlp")).rejected_log_records == 0
    answer = send_export(server, streams_of(20, now_ns, first=18), "many-otlp")
    assert (answer.status_code, int(answer.headers["retry-after"]) >= 1) == (429, True)
    assert "limits.logs.max_streams" in status_pb2.Status.FromString(answer.content).message
    body = request(streams_of(20, now_ns, first=18)).SerializeToString()
    with grpc.insecure_channel(f"127.0.0.1:{server.otlp_grpc_port}") as channel, pytest.raises(grpc.RpcError) as told:
        channel.unary_unary(EXPORT)(body, metadata=(("x-scope-orgid", "many-otlp"),), timeout=60)
    assert told.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    details = dict(told.value.trailing_metadata())["grpc-status-details-bin"]
    retry = error_details_pb2.RetryInfo()
    assert status_pb2.Status.FromString(details).details[0].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() > 0


def test_a_tenant_with_limits_of_its_own(server: SwarmscopeServer, now_ns: int) -> None:
    assert send_push(server, streams_of(20, now_ns), "large").status_code == 204
    answer = send_push(server, streams_of(25, now_ns, first=20), "large")
    assert (answer.status_code, "limits.logs.max_streams is 20" in answer.text) == (429, True)
    long: Streams = [({"app": "a", "n": "0"}, [(now_ns, "x" * 1000, {}), (now_ns, "y" * 1001, {})])]
    answer = send_push(server, long, "large")
    assert (answer.status_code, "limits.logs.max_line_bytes is 1000" in answer.text) == (400, True)
    assert "x" * 1000 in kept(server, "large")


def test_rate_of_a_tenant(server: SwarmscopeServer, now_ns: int) -> None:
    """Ten bytes a second are a hundred in ten seconds, which pass at once; what comes then is told when to come."""
    lines: Streams = [({"app": "a"}, [(now_ns, "x" * 90, {})])]
    assert send_push(server, lines, "slow").status_code == 204
    again: Streams = [({"app": "a"}, [(now_ns + 1, "y" * 90, {})])]
    answer = send_push(server, again, "slow")
    assert (answer.status_code, "limits.logs.max_bytes_per_second is 10" in answer.text) == (429, True), answer.text
    assert 1 <= int(answer.headers["retry-after"]) <= 9
    answer = send_export(server, again, "slow")
    assert answer.status_code == 429
    assert 1 <= int(answer.headers["retry-after"]) <= 9
    assert kept(server, "slow") == ["x" * 90]
    assert send_push(server, again, "others-are-not-slow").status_code == 204


def test_bounds_of_time(server: SwarmscopeServer, now_ns: int) -> None:
    """Retention is two days, and an hour ahead of the clock is too far."""
    lines: Streams = [
        ({"app": "a"}, [
            (now_ns - 2 * DAY_NS - 60 * NS_PER_S, "too old", {}), (now_ns - 2 * DAY_NS + 600 * NS_PER_S, "old", {}),
            (now_ns, "now", {}), (now_ns + 3000 * NS_PER_S, "ahead", {}), (now_ns + 4200 * NS_PER_S, "too new", {}),
            (now_ns + 9 * DAY_NS, "far too new", {}), (0, "1970", {}),
        ]),
    ]  # fmt: skip
    answer = send_push(server, lines, "time-push")
    assert (answer.status_code, "retry-after" in answer.headers) == (400, False)
    assert "retention.logs" in answer.text
    assert "storage.max_future" in answer.text
    assert "(2 lines)" in answer.text
    # Over OTLP a record without a time has the time of its arrival.
    partial = partial_of(send_export(server, lines, "time-otlp"))
    assert partial.rejected_log_records == 3
    assert "1 log records refused: timestamp is older than the retention (retention.logs)" in partial.error_message
    assert "2 log records refused: timestamp is too far in the future" in partial.error_message
    assert kept(server, "time-push") == ["ahead", "now", "old"]
    assert kept(server, "time-otlp") == ["1970", "ahead", "now", "old"]


@pytest.mark.parametrize("path", ["/loki/api/v1/push", "/v1/logs"])
@pytest.mark.parametrize("content_type", ["application/x-protobuf", "application/json"])
def test_sizes_of_bodies(server: SwarmscopeServer, path: str, content_type: str) -> None:
    headers = {"content-type": content_type}
    answer = httpx.post(f"{server.address}{path}", content=bytes(65 << 10), headers=headers)
    assert answer.status_code == 413
    assert b"larger than 65536 bytes" in answer.content
    packed = bytes(cramjam.gzip.compress(bytes(300 << 10)))
    answer = httpx.post(f"{server.address}{path}", content=packed, headers=headers | {"content-encoding": "gzip"})
    assert answer.status_code == 413
    assert b"more than 262144 bytes" in answer.content
    for encoding, body in bombs(MAX_UNPACKED):
        answer = httpx.post(
            f"{server.address}{path}", content=body, headers=headers | {"content-encoding": encoding}, timeout=60
        )
        assert answer.status_code in (400, 413, 415), (encoding, answer.content)
        assert len(answer.content) > 10


def test_size_of_json(server: SwarmscopeServer) -> None:
    body = b'{"resourceLogs": []' + b" " * (33 << 10) + b"}"
    answer = httpx.post(f"{server.address}/v1/logs", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 413
    assert "otlp.max_json_bytes" in answer.text
