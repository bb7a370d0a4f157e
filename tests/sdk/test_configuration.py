"""`configure`, in processes of its own: OpenTelemetry's globals can be set once in each."""

import subprocess
import sys
import textwrap

import pytest

from swarmscope import sdk
from tests.sdk.otlp_receiver import attributes_of, dead_port


def _run(program, *arguments):
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program), *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done


def test_configured_process_sends_everything_at_its_end(receiver):
    done = _run(
        """
        import logging, sys
        from opentelemetry import metrics, trace
        from swarmscope import sdk

        collector = sdk.IntelligenceMetricsCollector()
        first = sdk.configure(sys.argv[1], agent="a", batch_delay_s=60)
        collector.record_coordination(0.5, agent_group="g", task_type="t")
        assert sdk.configure(sys.argv[1], agent="a", batch_delay_s=60) is first
        assert sdk.current() is first
        with sdk.agent("a"):
            logging.getLogger("program").error("it %s", "broke", extra={"order": 7})
            logging.getLogger("program").info("unseen: the root logger wants warnings")
            logging.getLogger("urllib3.connectionpool").error("about sending")
        with trace.get_tracer("library").start_as_current_span("of a library"):
            metrics.get_meter("library").create_counter("calls").add(2)
        second = sdk.configure(sys.argv[1], agent="b", batch_delay_s=60)
        assert second is not first and sdk.current() is second
        with sdk.tool("t"):
            with first.use(), sdk.tool("u"):
                pass
        assert sdk.dropped() == {"traces": {}, "metrics": {}, "logs": {}}
        """,
        receiver.url,
    )
    assert "configured again, differently" in done.stderr
    found = {
        (attributes_of(resource.resource)["service.name"], span.name)
        for request in receiver.accepted["/v1/traces"]
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    assert found == {("a", "invoke_agent a"), ("a", "of a library"), ("b", "execute_tool t"), ("a", "execute_tool u")}
    by_body = {record.body.string_value: record for record in receiver.logs()}
    assert "about sending" not in by_body
    broke = by_body["it broke"]
    assert broke.severity_text == "ERROR"
    assert broke.trace_id
    assert attributes_of(broke)["order"] == 7
    summary = receiver.metrics()["agi_agent_coordination_score"].summary
    assert summary.data_points[0].quantile_values[0].value == 0.5, "of a collector that was there before"
    assert receiver.metrics()["calls"].sum.data_points[0].as_int == 2


def test_end_of_a_process_whose_endpoint_is_away():
    done = _run(
        """
        import sys, time
        from swarmscope import sdk

        telemetry = sdk.configure(sys.argv[1], agent="a", shutdown_timeout_s=0.5)
        for _ in range(10):
            with sdk.agent("a"):
                pass
        began_s = time.monotonic()
        sdk.shutdown()
        sdk.shutdown()
        assert time.monotonic() - began_s < 1
        assert sum(sdk.dropped()["traces"].values()) == 10
        with sdk.agent("late"):
            pass
        """,
        f"http://127.0.0.1:{dead_port()}",
    )
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"protocol": "udp"}, "can be http or grpc"),
        ({"endpoint": "ftp://x"}, "should look like http://host:4318"),
        ({"endpoint": "http://"}, "should look like"),
        ({"max_queue_size": 0}, "max_queue_size is 0; it must be above 0"),
        ({"max_retries": -1}, "max_retries is -1; it must not be negative"),
        ({"metric_interval_s": float("nan")}, "metric_interval_s"),
    ],
)
def test_settings_that_cannot_be_meant(options, words):
    with pytest.raises(ValueError, match=words):
        sdk.configure(**options)


@pytest.mark.parametrize(
    ("given", "environment", "protocol", "url"),
    [
        ("http://h:1/otlp/", "", "http", "http://h:1/otlp"),
        ("h:1", "", "http", "http://h:1"),
        ("", "https://e", "http", "https://e"),
        ("", "", "http", "http://127.0.0.1:4318"),
        ("", "", "grpc", "http://127.0.0.1:4317"),
    ],
)
def test_endpoints(monkeypatch, given, environment, protocol, url):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", environment)
    assert sdk.SdkSettings(given, protocol=protocol).endpoint_url() == url


def test_headers_and_secrets(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "a=1,b=2")
    settings = sdk.SdkSettings(token="s3cret", headers={"B": "3"})
    assert settings.request_headers() == {"a": "1", "b": "3", "authorization": "Bearer s3cret"}
    assert "s3cret" not in repr(settings)


def test_options_are_those_of_the_settings():
    from dataclasses import fields

    from swarmscope.sdk.settings import Options

    named = {"endpoint", "agent", "team", "version", "environment"}
    assert set(Options.__annotations__) | named == {field.name for field in fields(sdk.SdkSettings)}
