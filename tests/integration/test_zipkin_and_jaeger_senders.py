"""Other people's senders of spans in Zipkin's and Jaeger's protocols: every field is read back over three APIs."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from swarmscope.model.attributes import Scalar
from swarmscope.testing.plain_spans import NO_SPAN, PlainEvent, PlainLink, PlainScope, PlainSpan
from tests.clients.installed import NotInstallableError, old_python_clients
from tests.integration.processes import SwarmscopeServer
from tests.integration.test_log_senders import NS_PER_MS, run, run_node, run_python
from tests.integration.trace_reading import Arrived

pytestmark = [pytest.mark.peer, pytest.mark.slow]

T_NS = 1_700_000_000_000_000_000
CLIENT_FOLDER = Path(__file__).parent.parent / "clients"


class Endpoints:
    """The ports of Zipkin's and Jaeger's collectors and of Jaeger's agent, and the spans that came since."""

    def __init__(self, server: SwarmscopeServer) -> None:
        ports = {name: int(server.settings[f"{name}_PORT"]) for name in ("ZIPKIN", "JAEGER_COLLECTOR")}
        self.zipkin_port = ports["ZIPKIN"]
        self.zipkin_url = f"http://127.0.0.1:{ports['ZIPKIN']}"
        self.jaeger_url = f"http://127.0.0.1:{ports['JAEGER_COLLECTOR']}"
        self.udp = {kind: int(server.settings[f"JAEGER_{kind.upper()}_PORT"]) for kind in ("compact", "binary")}
        self.arrived = Arrived(server)

    def spans(self, count: int) -> dict[str, PlainSpan]:
        return {span.name: span for span in self.arrived.spans(count)}


@pytest.fixture
def endpoints(swarmscope_server: SwarmscopeServer) -> Endpoints:
    return Endpoints(swarmscope_server)


def run_old_python(script: str, **asked: Any) -> None:
    try:
        folder = old_python_clients()
    except NotInstallableError as error:
        pytest.skip(str(error))
    assert run([str(folder / "bin" / "python"), str(CLIENT_FOLDER / script)], asked) == ""


@pytest.mark.parametrize("encoding", ["V1_JSON", "V2_JSON", "V2_PROTO3"])
def test_py_zipkin(endpoints: Endpoints, encoding: str) -> None:
    run_python("send_py_zipkin.py", port=endpoints.zipkin_port, encoding=encoding)
    spans = endpoints.spans(2)
    order, stock = spans["order"], spans["stock"]
    trace, span = bytes(8) + bytes.fromhex("0af7651916cd43dd"), bytes.fromhex("b7ad6b7169203331")
    here: dict[str, Scalar] = {"net.host.ip": "10.0.0.1", "net.host.port": 8080}
    # Who is told its ids by another process shares the span with it, and in version 1 does not tell its time.
    shared: dict[str, Scalar] = {"zipkin.shared": True}
    assert order == PlainSpan(
        trace_id=trace, span_id=span, parent_id=bytes.fromhex("b7ad6b7169203332"), name="order", kind=2,
        start_ns=order.start_ns, end_ns=order.end_ns, resource={"service.name": "shop"},
        attributes=here | shared | {"http.method": "GET", "city": "Zürich 🚀"},
        events=(PlainEvent(T_NS + 250 * NS_PER_MS, "half way"),),
    )  # fmt: skip
    there: dict[str, Scalar] = {"peer.service": "stock", "net.peer.ip": "10.0.0.2", "net.peer.port": 9000}
    assert stock == PlainSpan(
        trace_id=trace, span_id=stock.span_id, parent_id=span, name="stock", kind=3, status=2,
        status_message="none left", start_ns=stock.start_ns, end_ns=stock.end_ns, resource={"service.name": "shop"},
        attributes=here | there | {"error": "none left"},
    )  # fmt: skip
    assert order.start_ns <= stock.start_ns <= stock.end_ns <= order.end_ns


@pytest.mark.parametrize(("encoder", "path"), [("JSON_V1", "/api/v1/spans"), ("JSON_V2", "/api/v2/spans")])
def test_zipkin_js(endpoints: Endpoints, encoder: str, path: str) -> None:
    run_node("send_zipkin.mjs", url=endpoints.zipkin_url + path, encoder=encoder)
    found = endpoints.spans(1)["get"]
    (event,) = found.events
    assert found == PlainSpan(
        trace_id=found.trace_id, span_id=found.span_id, name="get", kind=3, start_ns=found.start_ns,
        end_ns=found.end_ns, resource={"service.name": "shop"},
        attributes={
            "net.host.ip": "10.0.0.1", "net.host.port": 8080, "peer.service": "stock", "net.peer.ip": "10.0.0.2",
            "net.peer.port": 9000, "http.path": "/order 🚀",
        },
        events=(PlainEvent(event.ts_ns, "half way"),),
    )  # fmt: skip
    assert any(found.trace_id[:8])
    assert found.start_ns <= event.ts_ns <= found.end_ns


def test_opentelemetry_for_zipkin_in_python(endpoints: Endpoints) -> None:
    run_python("send_zipkin_exporter.py", url=endpoints.zipkin_url + "/api/v2/spans")
    found = endpoints.spans(1)["order"]
    assert found == PlainSpan(
        trace_id=found.trace_id, span_id=found.span_id, name="order", kind=3, status=2, status_message="no stock",
        start_ns=T_NS, end_ns=T_NS + 5000, resource={"service.name": "shop"}, scope=PlainScope("orders", "1.4.0"),
        # Zipkin's tags are texts, and there is nothing but tags for what a resource says.
        # It says of sampled spans that they are for debugging.
        attributes={
            "zipkin.debug": True, "n": "7", "retried": "true", "peer.service": "stock", "service.name": "shop",
            "cores": "8",
        },
        events=(
            PlainEvent(T_NS + 1000, "failed", {"code": 7, "why": "none left"}), PlainEvent(T_NS + 2000, "plain")
        ),
    )  # fmt: skip


def test_opentelemetry_for_zipkin_in_node(endpoints: Endpoints) -> None:
    base_ms = int(time.time() * 1000) - 5000
    run_node("send_zipkin_exporter.mjs", url=endpoints.zipkin_url + "/api/v2/spans", base_ms=base_ms)
    found = endpoints.spans(1)["order 🚀"]
    base_ns = base_ms * NS_PER_MS
    assert found == PlainSpan(
        trace_id=found.trace_id, span_id=found.span_id, name="order 🚀", kind=3, status=2, status_message="no stock",
        start_ns=base_ns, end_ns=base_ns + 5 * NS_PER_MS, resource={"service.name": "shop"},
        attributes={"n": "7", "peer.service": "stock", "service.name": "shop", "cores": "8"},
        events=(PlainEvent(base_ns + NS_PER_MS, "failed"),),  # it leaves an event's attributes out
    )  # fmt: skip


@pytest.mark.parametrize("over", ["udp", "http"])
def test_jaeger_client_in_node(endpoints: Endpoints, over: str) -> None:
    base_ms = int(time.time() * 1000) - 5000
    where = {"port": endpoints.udp["binary"]} if over == "udp" else {"url": endpoints.jaeger_url + "/api/traces"}
    run_node("send_jaeger_client.mjs", base_ms=base_ms, **where)
    spans = endpoints.spans(2)
    order, stock, base_ns = spans["order"], spans["stock"], base_ms * NS_PER_MS
    assert order.resource.items() >= {"service.name": "shop", "team": "red", "jaeger.version": "Node-3.19.0"}.items()
    assert order == PlainSpan(
        trace_id=order.trace_id, span_id=order.span_id, name="order", kind=2, status=2, flags=1,
        start_ns=base_ns, end_ns=base_ns + 5 * NS_PER_MS, resource=order.resource,
        attributes={
            "sampler.type": "const", "sampler.param": True, "n": 7.0, "ratio": 0.5, "late": True, "city": "Zürich 🚀",
        },
        events=(PlainEvent(base_ns + NS_PER_MS, "failed", {"code": 7.0}),),
    )  # fmt: skip
    assert stock == PlainSpan(
        trace_id=order.trace_id, span_id=stock.span_id, parent_id=order.span_id, name="stock", kind=0, flags=1,
        start_ns=base_ns + 2 * NS_PER_MS, end_ns=base_ns + 3 * NS_PER_MS, resource=order.resource,
    )  # fmt: skip


def test_jaeger_client_in_python(endpoints: Endpoints) -> None:
    run_python("send_jaeger_client.py", port=endpoints.udp["compact"])
    spans = endpoints.spans(3)
    order, stock, mail = spans["order"], spans["stock"], spans["mail"]
    assert order.resource.items() >= {"service.name": "shop", "team": "red", "jaeger.version": "Python-4.8.0"}.items()
    assert order == PlainSpan(
        trace_id=order.trace_id, span_id=order.span_id, name="order", kind=2, status=2, flags=1,
        start_ns=T_NS, end_ns=T_NS + 1000 * NS_PER_MS, resource=order.resource,
        attributes={
            "sampler.type": "const", "sampler.param": True, "n": 7, "ratio": 0.5, "late": True, "city": "Zürich 🚀",
        },
        events=(PlainEvent(T_NS + 250 * NS_PER_MS, "failed", {"code": 7}),),
    )  # fmt: skip
    assert any(order.trace_id[:8])
    assert (stock.trace_id, stock.parent_id, stock.links) == (order.trace_id, order.span_id, ())
    assert (stock.start_ns, stock.end_ns) == (T_NS + 500 * NS_PER_MS, T_NS + 750 * NS_PER_MS)
    link = PlainLink(order.trace_id, order.span_id, attributes={"opentracing.ref_type": "follows_from"})
    assert (mail.parent_id, mail.links) == (order.span_id, (link,))


@pytest.mark.parametrize("over", ["udp", "http"])
def test_opentelemetry_for_jaeger_in_python(endpoints: Endpoints, over: str) -> None:
    where: dict[str, Any] = {"port": endpoints.udp["compact"]}
    if over == "http":
        where = {"url": endpoints.jaeger_url + "/api/traces?format=jaeger.thrift"}
    run_old_python("send_jaeger_exporter.py", **where)
    found = endpoints.spans(1)["order"]
    link = PlainLink(
        (7).to_bytes(16, "big"), (8).to_bytes(8, "big"), attributes={"opentracing.ref_type": "follows_from"}
    )
    assert found == PlainSpan(
        trace_id=found.trace_id, span_id=found.span_id, parent_id=NO_SPAN, name="order", kind=4, status=2,
        status_message="no stock", flags=1, start_ns=T_NS, end_ns=T_NS + 5000, resource={"service.name": "shop"},
        scope=PlainScope("orders", "1.4.0"), links=(link,),
        # It has resources as tags of every span.
        attributes={
            "n": 7, "ratio": 0.5, "late": True, "city": "Zürich 🚀", "service.name": "shop", "cores": 8,
        },
        events=(PlainEvent(T_NS + 1000, "failed", {"message": "failed", "code": 7}),),
    )  # fmt: skip
