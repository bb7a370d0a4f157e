"""From spans, metrics and log records to a real receiver, and what happens when there is none."""

import gc
import os
import threading
import time
import weakref

import pytest

from swarmscope import sdk
from tests.sdk.otlp_receiver import Receiver, Told, attributes_of, dead_port, wait_until


def test_everything_arrives_with_its_resource(receiver, make_telemetry):
    telemetry = make_telemetry(
        receiver.url, agent="reader", team="science", version="7", environment="lab", token="s3cret",
        headers={"X-Scope-OrgID": "t1"}, resource_attributes={"host.name": "h"},
    )  # fmt: skip
    with telemetry.use(), sdk.agent("reader"):
        telemetry.logger_provider.get_logger("l").emit(body="hello")
    telemetry.meter_provider.get_meter("m").create_counter("n").add(3)
    assert telemetry.flush(5)
    assert [span.name for span in receiver.spans()] == ["invoke_agent reader"]
    assert attributes_of(receiver.spans()[0])["agi.version"] == "7"
    assert [record.body.string_value for record in receiver.logs()] == ["hello"]
    assert receiver.logs()[0].trace_id == receiver.spans()[0].trace_id
    assert receiver.metrics()["n"].sum.data_points[0].as_int == 3
    resource = attributes_of(receiver.accepted["/v1/traces"][0].resource_spans[0].resource)
    assert resource.items() >= {
        "service.name": "reader", "service.version": "7", "agi.version": "7", "agi.environment": "lab",
        "deployment.environment.name": "lab", "gen_ai.agent.name": "reader", "gen_ai.agent.version": "7",
        "agent.team": "science", "host.name": "h",
    }.items()  # fmt: skip
    for headers in receiver.headers:
        assert headers["authorization"] == "Bearer s3cret"
        assert headers["x-scope-orgid"] == "t1"
        assert headers["content-encoding"] == "gzip"
    assert telemetry.dropped() == {"traces": {}, "metrics": {}, "logs": {}}


def test_busy_endpoint_is_asked_again_when_it_wants_and_nothing_is_lost(receiver, make_telemetry):
    receiver.answers["/v1/traces"] += [Told(503, {"Retry-After": "0.2"}), Told(429, {"Retry-After": "0.1"}), Told(502)]
    telemetry = make_telemetry(receiver.url, backoff_s=0.01)
    telemetry.tracer.start_span("x").end()
    wait_until(receiver.spans)
    first, second, third, fourth = receiver.attempts["/v1/traces"]
    assert second - first >= 0.2
    assert third - second >= 0.1
    assert fourth - third < 0.2
    assert telemetry.dropped()["traces"] == {}
    wait_until(lambda: telemetry.counters.retries().get("traces") == 3)


def test_three_retries_and_no_more(receiver, make_telemetry):
    receiver.answers["/v1/traces"] += [Told(503)] * 4
    telemetry = make_telemetry(receiver.url, backoff_s=0.02)
    telemetry.tracer.start_span("lost").end()
    wait_until(lambda: telemetry.dropped()["traces"] == {"retries_exhausted": 1})
    times = receiver.attempts["/v1/traces"]
    assert len(times) == 4
    waits = [later - earlier for earlier, later in zip(times, times[1:], strict=False)]
    # 20, 40 and 80 ms, each give or take a fifth, and what the requests take.
    for wait, least in zip(waits, (0.016, 0.032, 0.064), strict=True):
        assert least <= wait < least + 0.15
    telemetry.tracer.start_span("found").end()
    wait_until(receiver.spans)
    assert [span.name for span in receiver.spans()] == ["found"]


def test_final_refusals_are_not_retried(receiver, make_telemetry):
    receiver.answers["/v1/traces"] += [Told(401), Told(400)]
    telemetry = make_telemetry(receiver.url, batch_delay_s=0)
    for n in (1, 2):
        telemetry.tracer.start_span("x").end()
        wait_until(lambda n=n: telemetry.dropped()["traces"] == {"refused": n})
    assert len(receiver.attempts["/v1/traces"]) == 2


def test_partly_rejected_requests_are_counted(receiver, make_telemetry):
    # ExportTraceServiceResponse.partial_success (1) with rejected_spans (1) = 2.
    receiver.answers["/v1/traces"].append(Told(200, body=bytes([0x0A, 2, 0x08, 2])))
    telemetry = make_telemetry(receiver.url, batch_delay_s=0.05)
    for _ in range(5):
        telemetry.tracer.start_span("x").end()
    wait_until(lambda: telemetry.dropped()["traces"] == {"rejected": 2})
    assert telemetry.counters.delivered()["traces"] == 3


def test_endpoint_that_is_away(make_telemetry, caplog):
    telemetry = make_telemetry(f"http://127.0.0.1:{dead_port()}", max_queue_size=50, max_batch_size=10)
    began_s = time.monotonic()
    for _ in range(500):
        telemetry.tracer.start_span("x").end()
    assert time.monotonic() - began_s < 0.5, "the program does not wait"
    assert telemetry.dropped()["traces"]["queue_full"] >= 400
    telemetry.shutdown(1)
    assert time.monotonic() - began_s < 1.6
    assert sum(telemetry.dropped()["traces"].values()) == 500
    assert sum("traces cannot be delivered" in record.message for record in caplog.records) == 1


def test_endpoint_that_comes_back(make_telemetry):
    port = dead_port()
    telemetry = make_telemetry(f"http://127.0.0.1:{port}", max_retries=0, batch_delay_s=0)
    telemetry.tracer.start_span("lost").end()
    wait_until(lambda: telemetry.dropped()["traces"] == {"retries_exhausted": 1})
    receiver = Receiver(port)
    try:
        telemetry.tracer.start_span("found").end()
        wait_until(receiver.spans)
    finally:
        receiver.close()
    assert [span.name for span in receiver.spans()] == ["found"]


def test_endpoint_that_never_answers_does_not_hold_the_end(receiver, make_telemetry):
    for path in ("/v1/traces", "/v1/metrics", "/v1/logs"):
        receiver.answers[path] += [Told(delay_s=3)] * 9
    telemetry = make_telemetry(receiver.url)
    for _ in range(3):
        telemetry.tracer.start_span("x").end()
    telemetry.logger_provider.get_logger("l").emit(body="x")
    wait_until(lambda: receiver.attempts["/v1/traces"])
    began_s = time.monotonic()
    telemetry.shutdown(0.3)
    assert time.monotonic() - began_s < 0.8
    assert telemetry.dropped()["traces"] == {"shutdown": 3}
    assert telemetry.dropped()["logs"] == {"shutdown": 1}


def test_what_is_queued_at_the_end_is_sent(receiver, make_telemetry):
    telemetry = make_telemetry(receiver.url, batch_delay_s=60)
    for i in range(1000):
        telemetry.tracer.start_span(str(i)).end()
    telemetry.shutdown()
    assert [span.name for span in receiver.spans()] == [str(i) for i in range(1000)]
    telemetry.tracer.start_span("late").end()
    assert telemetry.dropped()["traces"] == {"shutdown": 1}


def test_many_threads_lose_nothing(receiver, make_telemetry):
    telemetry = make_telemetry(receiver.url, max_queue_size=10_000, max_batch_size=100)

    def work(name):
        for i in range(200):
            telemetry.tracer.start_span(f"{name}-{i}").end()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert telemetry.flush(5)
    names = [span.name for span in receiver.spans()]
    assert len(names) == len(set(names)) == 1600
    assert all(
        len(request.resource_spans[0].scope_spans[0].spans) <= 100 for request in receiver.accepted["/v1/traces"]
    )


def test_what_is_dropped_is_a_metric_too(receiver, make_telemetry):
    receiver.answers["/v1/traces"].append(Told(403))
    telemetry = make_telemetry(receiver.url)
    telemetry.tracer.start_span("x").end()
    wait_until(lambda: telemetry.dropped()["traces"])
    telemetry.flush(5)
    (point,) = receiver.metrics()["swarmscope.sdk.dropped"].sum.data_points
    assert (point.as_int, attributes_of(point)) == (1, {"signal": "traces", "reason": "refused"})


def test_flush_has_an_end(receiver, make_telemetry):
    receiver.answers["/v1/metrics"].append(Told(delay_s=2))
    receiver.answers["/v1/traces"].append(Told(delay_s=2))
    telemetry = make_telemetry(receiver.url)
    telemetry.tracer.start_span("x").end()
    began_s = time.monotonic()
    assert not telemetry.flush(0.2)
    assert time.monotonic() - began_s < 0.6


def test_open_spans_are_announced_to_the_endpoint(receiver, make_telemetry):
    telemetry = make_telemetry(receiver.url, announce_after_s=0.04)
    with telemetry.use(), sdk.agent("slow") as span:
        wait_until(receiver.logs)
        (record,) = receiver.logs()
        assert record.event_name == "agent.span.open"
        assert record.span_id == span.context.span_id.to_bytes(8)
        assert record.trace_id == span.context.trace_id.to_bytes(16)
        assert attributes_of(record).items() >= {"span.name": "invoke_agent slow", "span.parent_id": ""}.items()
        assert record.body.WhichOneof("value") is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:This process")
def test_forked_process_sends_its_own_and_nothing_twice(receiver, make_telemetry):
    telemetry = make_telemetry(receiver.url, batch_delay_s=0.3)
    telemetry.tracer.start_span("parent's").end()
    child = os.fork()
    if child == 0:
        try:
            telemetry.tracer.start_span("child's").end()
            telemetry.flush(5)
            os._exit(0 if telemetry.counters.delivered().get("traces") == 1 else 3)
        finally:
            os._exit(4)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    telemetry.flush(5)
    assert sorted(span.name for span in receiver.spans()) == ["child's", "parent's"]


def test_grpc(make_telemetry):
    from tests.sdk.delivery.grpc_receiver import grpc_receiver

    with grpc_receiver() as receiver:
        telemetry = make_telemetry(f"http://{receiver.address}", protocol="grpc", token="t")
        telemetry.tracer.start_span("x").end()
        telemetry.logger_provider.get_logger("l").emit(body="y")
        assert telemetry.flush(5)
        assert receiver.names() == ["x"]
        assert ("authorization", "Bearer t") in receiver.metadata


def test_ended_telemetry_is_forgotten(make_telemetry):
    telemetry = sdk.Telemetry(sdk.SdkSettings(f"http://127.0.0.1:{dead_port()}"))
    weak = weakref.ref(telemetry.agent_spans)
    telemetry.shutdown(0.2)
    del telemetry
    gc.collect()
    assert weak() is None
