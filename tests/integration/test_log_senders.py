"""Other people's senders of logs against the running program: what each sent is read back field by field."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from tests.clients.installed import NotInstallableError, node_clients, python_clients
from tests.integration.log_reading import ReadLine, loki_api, wait_for_lines, wait_until
from tests.integration.processes import SwarmscopeServer, free_port

pytestmark = [pytest.mark.peer, pytest.mark.slow]

TIMEOUT_S = 60
NS_PER_MS = 1_000_000
HARD_TEXT = 'über "quoted"\nsecond line \\ 🚀'
TRACE_ID, SPAN_ID = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def run(command: list[str], asked: dict[str, Any], folder: Path | None = None) -> str:
    done = subprocess.run([*command, json.dumps(asked)], cwd=folder, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stderr


def run_node(script: str, **asked: Any) -> None:
    try:
        folder = node_clients()
    except NotInstallableError as error:
        pytest.skip(str(error))
    assert run(["node", script], asked, folder) == ""


def run_python(script: str, **asked: Any) -> None:
    path = Path(__file__).parent.parent / "clients" / script
    assert run([str(python_program("python")), str(path)], asked) == ""


def python_program(name: str) -> Path:
    try:
        folder = python_clients()
    except NotInstallableError as error:
        pytest.skip(str(error))
    if name == "rotel-agent":
        return next(folder.glob("lib/python*/site-packages/rotel/rotel-agent"))
    return folder / "bin" / name


def in_time(lines: list[ReadLine], since_ns: int) -> bool:
    """Whether the sender's own clock made the stamps; clients that round to seconds and below are not early."""
    return all(since_ns - 1_000_000_000 <= line.ts_ns <= time.time_ns() for line in lines)


@pytest.fixture
def base_ms() -> int:
    """A time with milliseconds that senders are told to stamp their lines with."""
    return int(time.time() * 1000) - 5000


def test_winston_loki_in_protobuf(swarmscope_server: SwarmscopeServer, base_ms: int) -> None:
    run_node("send_winston.mjs", address=swarmscope_server.address, json=False, app="winston-pb", base_ms=base_ms)
    lines = wait_for_lines(swarmscope_server, '{app="winston-pb"}', 3)
    stream = {"app": "winston-pb", "env": "prüfung", "service_name": "winston-pb"}
    assert [line.labels for line in lines] == [
        {**stream, "level": "info"}, {**stream, "level": "warn"}, {**stream, "level": "error", "shop": "b"},
    ]  # fmt: skip
    assert [line.ts_ns for line in lines] == [(base_ms + number) * NS_PER_MS for number in range(3)]
    sent = [json.loads(line.line) for line in lines]
    assert sent[0] == {
        "level": "info", "message": "order accepted", "order": 17, "customer": {"id": "c-9"}, "timestamp": base_ms,
    }  # fmt: skip
    assert sent[1]["message"] == HARD_TEXT
    assert [line.metadata for line in lines] == [{"detected_level": level} for level in ("info", "warn", "error")]


def test_winston_loki_in_json(swarmscope_server: SwarmscopeServer, base_ms: int) -> None:
    run_node("send_winston.mjs", address=swarmscope_server.address, json=True, app="winston-json", base_ms=base_ms)
    lines = wait_for_lines(swarmscope_server, '{app="winston-json"}', 3)
    assert [line.labels["level"] for line in lines] == ["info", "warn", "error"]
    assert [line.ts_ns for line in lines] == [(base_ms + number) * NS_PER_MS for number in range(3)]
    assert json.loads(lines[1].line)["message"] == HARD_TEXT
    # The third element of an entry has what else was logged; a name that is a label's too gets Loki's suffix.
    assert lines[0].metadata == {
        "level_extracted": "info", "order": "17", "customer": '{"id":"c-9"}', "detected_level": "info",
    }  # fmt: skip
    assert lines[2].labels["shop"] == "b"


def test_pino_loki(swarmscope_server: SwarmscopeServer, base_ms: int) -> None:
    run_node("send_pino.mjs", address=swarmscope_server.address, app="pino", base_ms=base_ms)
    lines = wait_for_lines(swarmscope_server, '{application="pino"}', 4)
    stream = {"application": "pino", "hostname": "node-1", "service_name": "pino"}
    assert [line.labels for line in lines] == [
        {**stream, "level": "info"}, {**stream, "level": "warning", "shop": "a"}, {**stream, "level": "error"},
        {**stream, "level": "debug"},
    ]  # fmt: skip
    assert [line.ts_ns for line in lines] == [(base_ms + number) * NS_PER_MS for number in range(4)]
    assert lines[0].metadata == {
        "recordId": "123", "traceparent": "abc", "nested": '{"a":1}', "detected_level": "info",
    }  # fmt: skip
    sent = [json.loads(line.line) for line in lines]
    assert sent[1] == {"level": 40, "time": base_ms + 1, "shop": "a", "tags": ["x", "y"], "msg": HARD_TEXT}
    assert sent[2]["err"]["message"] == "no stock"
    assert [line.metadata["detected_level"] for line in lines] == ["info", "warn", "error", "debug"]


def test_python_logging_loki(swarmscope_server: SwarmscopeServer) -> None:
    begun_ns = time.time_ns()
    run_python("send_logging_loki.py", url=f"{loki_api(swarmscope_server)}/push", app="logging-loki")
    lines = wait_for_lines(swarmscope_server, '{application="logging-loki"}', 3)
    stream = {"application": "logging-loki", "logger": "shop.orders", "service_name": "logging-loki"}
    assert [line.labels for line in lines] == [
        {**stream, "severity": "debug"}, {**stream, "severity": "warning", "order_kind": "express"},
        {**stream, "severity": "error"},
    ]  # fmt: skip
    assert [line.line for line in lines[:2]] == ["fine detail", f"order 17 {HARD_TEXT}"]
    assert lines[2].line.startswith("failed\nTraceback (most recent call last):\n")
    assert lines[2].line.endswith("\nValueError: no stock")
    assert [line.metadata for line in lines] == [{"detected_level": level} for level in ("debug", "warn", "error")]
    assert in_time(lines, begun_ns)


@pytest.mark.parametrize("compressed", [True, False])
def test_loki_logger_handler(swarmscope_server: SwarmscopeServer, compressed: bool) -> None:
    begun_ns, app = time.time_ns(), f"logger-handler-{compressed}"
    url = f"{loki_api(swarmscope_server)}/push"
    run_python("send_loki_logger_handler.py", url=url, app=app, compressed=compressed)
    lines = wait_for_lines(swarmscope_server, f'{{application="{app}"}}', 3)
    stream = {"application": app, "env": "live", "service_name": app}
    assert [line.labels for line in lines] == [stream, {**stream, "shop": "b"}, stream]
    assert [line.metadata for line in lines] == [
        {"service_version": "1.0", "order": "17", "detected_level": "info"},
        {"service_version": "1.0", "span": "s-1", "detected_level": "warn"},
        {"service_version": "1.0", "detected_level": "error"},
    ]
    sent = [json.loads(line.line) for line in lines]
    assert [line["message"] for line in sent] == ["accepted", HARD_TEXT, "no stock"]
    assert {(line["name"], line["module"]) for line in sent} == {("shop.orders", "send_loki_logger_handler")}
    assert in_time(lines, begun_ns)


NODE_LABELS = {"service_namespace": "shop", "k8s_pod_name": "pod-7"}
# Sent by every OpenTelemetry SDK of Node.
NODE_RESOURCE = {"host_name": "h1", "cores": "8"}


@pytest.mark.parametrize(
    ("exporter", "compression"), [("grpc", "none"), ("grpc", "gzip"), ("http", "gzip"), ("proto", "none")]
)
def test_opentelemetry_in_node(
    swarmscope_server: SwarmscopeServer, base_ms: int, exporter: str, compression: str
) -> None:
    server, service = swarmscope_server, f"node-{exporter}-{compression}"
    url = f"http://127.0.0.1:{server.otlp_grpc_port}" if exporter == "grpc" else f"{otlp_http(server)}/v1/logs"
    run_node(
        "send_opentelemetry.mjs", exporter=exporter, compression=compression, url=url, service=service, base_ms=base_ms
    )
    first, second = wait_for_lines(server, f'{{service_name="{service}"}}', 2)
    assert first.labels == second.labels == {**NODE_LABELS, "service_name": service}
    assert (first.ts_ns, second.ts_ns) == (base_ms * NS_PER_MS, (base_ms + 1) * NS_PER_MS)
    assert first.line == HARD_TEXT
    assert json.loads(second.line) == {"message": "failed", "code": 7, "parts": [1, "two", None]}
    scope = {"scope_name": "orders", "scope_version": "1.4.0"}
    assert first.metadata == {
        **NODE_RESOURCE, **scope, "severity_number": "14", "severity_text": "WARNING", "event_name": "order.late",
        "observed_timestamp": str((base_ms + 5) * NS_PER_MS), "trace_id": TRACE_ID, "span_id": SPAN_ID, "flags": "1",
        "http_method": "GET", "http_status_code": "503", "retried": "true", "ratio": "0.25", "list": '["x","y"]',
        "detected_level": "warn",
    }  # fmt: skip
    assert second.metadata == {
        **NODE_RESOURCE, **scope, "severity_number": "17", "observed_timestamp": str((base_ms + 6) * NS_PER_MS),
        "deep_map_a_b": "c", "detected_level": "error",
    }  # fmt: skip


def otlp_http(server: SwarmscopeServer) -> str:
    return f"http://127.0.0.1:{server.otlp_http_port}"


def python_exporter(kind: str, http: str, grpc_port: int) -> Any:
    if kind == "grpc":
        exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.grpc._log_exporter")
        return exporter.OTLPLogExporter(endpoint=f"127.0.0.1:{grpc_port}", insecure=True)
    if kind == "json":
        exporter = pytest.importorskip("opentelemetry.exporter.otlp.json.http._log_exporter")
        return exporter.OTLPLogExporter(f"{http}/v1/logs")
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter

    return OTLPLogExporter(f"{http}/v1/logs", compression=Compression.Gzip)


def emit(exporter: Any, service: str, base_ns: int) -> tuple[str, str]:
    """Two records through OpenTelemetry's SDK; the trace and span id of the first."""
    provider = LoggerProvider(Resource({"service.name": service, "service.instance.id": "i-1", "host.name": "h"}))
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    emitter = provider.get_logger("lib", "1.2", attributes={"scope.key": "v"})
    with TracerProvider().get_tracer("t").start_as_current_span("work") as span:
        emitter.emit(
            LogRecord(
                timestamp=base_ns, observed_timestamp=base_ns + 7, severity_text="Warn",
                severity_number=SeverityNumber.WARN,
                body={"text": HARD_TEXT, "n": [1, 2.5, None]}, event_name="order.failed",
                attributes={"http.method": "GET", "n": 3, "ok": False, "took": 0.5, "list": ["x", "y"],
                            "nested": {"a": {"b": 1}}, "raw": b"\x00\xff"},
            )
        )  # fmt: skip
    emitter.emit(LogRecord(timestamp=base_ns + 1, observed_timestamp=base_ns + 8, body="plain"))
    provider.shutdown()
    context = span.get_span_context()
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def check_emitted(lines: list[ReadLine], service: str, base_ns: int, ids: tuple[str, str]) -> None:
    first, second = lines
    assert first.labels == second.labels == {"service_name": service, "service_instance_id": "i-1"}
    assert (first.ts_ns, second.ts_ns) == (base_ns, base_ns + 1)
    assert json.loads(first.line) == {"text": HARD_TEXT, "n": [1, 2.5, None]}
    assert second.line == "plain"
    flags = first.metadata.pop("flags")
    assert int(flags) & 1 == 1
    rest = {"host_name": "h", "scope_name": "lib", "scope_version": "1.2", "scope_key": "v"}
    assert first.metadata == {
        **rest, "severity_number": "13", "severity_text": "Warn", "event_name": "order.failed", "http_method": "GET",
        "n": "3", "ok": "false", "took": "0.5", "list": '["x","y"]', "nested_a_b": "1", "raw": "AP8=",
        "observed_timestamp": str(base_ns + 7), "trace_id": ids[0], "span_id": ids[1], "detected_level": "warn",
    }  # fmt: skip
    assert second.metadata == {**rest, "observed_timestamp": str(base_ns + 8), "detected_level": "unknown"}


@pytest.mark.parametrize("kind", ["grpc", "protobuf", "json"])
def test_opentelemetry_in_python(swarmscope_server: SwarmscopeServer, base_ms: int, kind: str) -> None:
    server, service, base_ns = swarmscope_server, f"python-{kind}", base_ms * NS_PER_MS + 123_456
    ids = emit(python_exporter(kind, otlp_http(server), server.otlp_grpc_port), service, base_ns)
    check_emitted(wait_for_lines(server, f'{{service_name="{service}"}}', 2), service, base_ns, ids)


@pytest.fixture
def rotel(swarmscope_server: SwarmscopeServer, tmp_path: Path) -> Iterator[tuple[int, int]]:
    """Rotel, a collector, in front of the program; it sends gzip over HTTP. Gives its ports for HTTP and gRPC."""
    grpc_port, http_port = free_port(), free_port()
    command = [
        str(python_program("rotel-agent")), "start", "--pid-file", str(tmp_path / "pid"),
        "--otlp-grpc-endpoint", f"127.0.0.1:{grpc_port}", "--otlp-http-endpoint", f"127.0.0.1:{http_port}",
        "--exporter", "otlp", "--otlp-exporter-endpoint", otlp_http(swarmscope_server),
        "--otlp-exporter-protocol", "http", "--otlp-exporter-compression", "gzip",
    ]  # fmt: skip
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_until(lambda: all(is_open(port) for port in (grpc_port, http_port)), (tmp_path / "log").read_text())
            yield http_port, grpc_port
        finally:
            process.terminate()


def is_open(port: int) -> bool:
    with socket.socket() as asking:
        return asking.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("kind", ["grpc", "protobuf"])
def test_rotel_in_front(swarmscope_server: SwarmscopeServer, rotel: tuple[int, int], base_ms: int, kind: str) -> None:
    service, base_ns = f"rotel-{kind}", base_ms * NS_PER_MS + 123_456
    ids = emit(python_exporter(kind, f"http://127.0.0.1:{rotel[0]}", rotel[1]), service, base_ns)
    check_emitted(wait_for_lines(swarmscope_server, f'{{service_name="{service}"}}', 2), service, base_ns, ids)


@pytest.fixture
def syslog_ng(swarmscope_server: SwarmscopeServer, tmp_path: Path) -> Iterator[int]:
    """syslog-ng that passes RFC 5424 messages on as Loki's pushes; gives the port it listens on."""
    program = shutil.which("syslog-ng") or shutil.which("syslog-ng", path="/usr/sbin")
    if program is None:
        pytest.skip("no syslog-ng on this machine")
    port = free_port()
    template = (Path(__file__).parent.parent / "clients" / "syslog_ng.conf").read_text()
    config = template.replace("PORT", str(port)).replace("PUSH_URL", f"{loki_api(swarmscope_server)}/push")
    (tmp_path / "syslog-ng.conf").write_text(config)
    command = [
        program, "-F", "--no-caps", "-f", str(tmp_path / "syslog-ng.conf"), "-R", str(tmp_path / "persist"),
        "-c", str(tmp_path / "ctl"), "-p", str(tmp_path / "pid"), "--stderr",
    ]  # fmt: skip
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            wait_until(lambda: is_open(port), (tmp_path / "log").read_text())
            yield port
        finally:
            process.terminate()


def test_syslog_ng(swarmscope_server: SwarmscopeServer, syslog_ng: int, base_ms: int) -> None:
    seconds, milliseconds = divmod(base_ms, 1000)
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{milliseconds:03}Z"
    data = '[origin@32473 ip="10.0.0.7" software="shop"]'
    messages = [
        f'<131>1 {stamp} web-1 shop 4711 ID47 {data} no stock for über \\ "quoted"',
        f"<134>1 {stamp} web-1 shop 4711 ID48 - order accepted",
        f"<28>1 {stamp} web-2 shop - - - late",
    ]
    with socket.create_connection(("127.0.0.1", syslog_ng)) as connection:
        for message in messages:
            framed = message.encode()
            connection.sendall(b"%d %s" % (len(framed), framed))  # RFC 6587
    lines = wait_for_lines(swarmscope_server, '{job="syslog-ng"}', 3)
    stream = {"job": "syslog-ng", "service_name": "syslog-ng"}
    found = {line.line: line for line in lines}
    error = found['no stock for über \\ "quoted"']
    # 131 = 16 × 8 + 3: local0, error; 134: local0, info; 28 = 3 × 8 + 4: daemon, warning.
    assert error.labels == {**stream, "host": "web-1", "facility": "local0", "severity": "err"}
    assert found["order accepted"].labels == {**stream, "host": "web-1", "facility": "local0", "severity": "info"}
    assert found["late"].labels == {**stream, "host": "web-2", "facility": "daemon", "severity": "warning"}
    assert {line.ts_ns for line in lines} == {base_ms * NS_PER_MS}
    assert error.metadata == {
        "program": "shop", "pid": "4711", "msgid": "ID47", "ip": "10.0.0.7", "detected_level": "error",
    }  # fmt: skip
    assert [found[line].metadata["detected_level"] for line in ("order accepted", "late")] == ["info", "warn"]
