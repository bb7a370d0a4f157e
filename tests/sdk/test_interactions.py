import asyncio

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from swarmscope import sdk
from swarmscope.sdk.interactions import payload_bytes

TRACER = sdk.MultiAgentTracer()


def test_interaction_with_its_answer(spans):
    def send(payload, headers):
        assert payload == {"task": "read"}
        assert headers["traceparent"].startswith("00-")
        assert trace.get_current_span().name == "planner_to_reader"
        return "done"

    assert TRACER.trace_agent_interaction("planner", "reader", "task", {"task": "read"}, send) == "done"
    (span,) = spans()
    assert (span.name, span.kind) == ("planner_to_reader", SpanKind.CLIENT)
    attributes = dict(span.attributes)
    assert 0 <= attributes.pop("response.latency") < 1
    assert attributes == {
        "agent.source": "planner",
        "agent.target": "reader",
        "interaction.type": "task",
        "payload.size": len('{"task":"read"}'),
        "response.success": True,
    }


def test_send_that_raises(spans):
    def send(payload, headers):
        raise ConnectionError("away")

    with pytest.raises(ConnectionError, match="away"):
        TRACER.trace_agent_interaction("a", "b", "message", "x", send)
    (span,) = spans()
    assert span.attributes["response.success"] is False
    assert span.attributes["response.latency"] >= 0
    assert span.attributes["error.type"] == "ConnectionError"
    assert span.status.status_code is StatusCode.ERROR
    assert [event.name for event in span.events] == ["exception"]


@pytest.mark.parametrize("form", ["async function", "function that gives a coroutine"])
def test_async_send(spans, form):
    async def send(payload, headers):
        await asyncio.sleep(0.02)
        assert trace.get_current_span().name == "a_to_b"
        if payload == "bad":
            raise ValueError("refused")
        return payload.upper()

    sending = send if form == "async function" else lambda payload, headers: send(payload, headers)

    async def main():
        assert await TRACER.trace_agent_interaction("a", "b", "task", "good", sending) == "GOOD"
        with pytest.raises(ValueError, match="refused"):
            await TRACER.trace_agent_interaction("a", "b", "task", "bad", sending)
        assert not trace.get_current_span().get_span_context().is_valid

    asyncio.run(main())
    good, bad = spans()
    assert good.attributes["response.success"] is True
    assert 0.015 < good.attributes["response.latency"] < 1
    assert bad.attributes["response.success"] is False


def test_concurrent_interactions_do_not_mix(spans):
    async def send(payload, headers):
        await asyncio.sleep(0.001 * (payload % 3))
        return headers["traceparent"], f"{trace.get_current_span().get_span_context().span_id:016x}"

    async def main():
        calls = [TRACER.trace_agent_interaction("a", f"b{i}", "task", i, send) for i in range(30)]
        for traceparent, span_id in await asyncio.gather(*calls):
            assert traceparent.split("-")[2] == span_id

    asyncio.run(main())
    assert len(spans()) == 30
    assert all(span.parent is None for span in spans())


@pytest.mark.parametrize(
    "carry",
    [
        dict,
        lambda headers: {name.upper(): value for name, value in headers.items()},
        lambda headers: [(name.encode(), value.encode()) for name, value in headers.items()],
        lambda headers: {f"HTTP_{name.upper()}": value for name, value in headers.items()},
    ],
    ids=["as they are", "upper case", "ASGI", "WSGI"],
)
def test_other_side_is_joined(spans, carry):
    def send(payload, headers):
        with sdk.receive_agent_interaction(carry(headers)):
            assert sdk.current_conversation() == "c-1"
            with sdk.tool("inside"):
                pass
            # What follows from it is an interaction of its own.
            TRACER.trace_agent_interaction("b", "c", "review", b"", lambda payload, headers: headers["baggage"])

    with sdk.conversation("c-1"):
        TRACER.trace_agent_interaction("ä, b", "b", "task", None, send)
    inside, onward, server, client = spans()
    assert server.name == client.name == "ä, b_to_b"
    assert server.kind is SpanKind.SERVER
    assert server.context.trace_id == client.context.trace_id
    assert server.parent.span_id == client.context.span_id
    assert server.parent.is_remote
    assert inside.parent.span_id == onward.parent.span_id == server.context.span_id
    assert dict(server.attributes) == {
        "agent.source": "ä, b",
        "agent.target": "b",
        "interaction.type": "task",
        "gen_ai.agent.name": "b",
        "gen_ai.conversation.id": "c-1",
    }


def test_other_side_of_somebody_without_this_sdk(spans):
    headers = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    with sdk.agent("not its parent"), sdk.receive_agent_interaction(headers, target_agent="b"):
        pass
    server = spans()[0]
    assert server.name == "receive_agent_interaction"
    assert f"{server.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{server.parent.span_id:016x}" == "b7ad6b7169203331"
    assert dict(server.attributes) == {"agent.target": "b", "gen_ai.agent.name": "b"}


def test_other_side_fails_or_gets_nonsense(spans):
    with pytest.raises(KeyError), sdk.receive_agent_interaction({}, source_agent="a", target_agent="b"):
        raise KeyError("k")
    with sdk.receive_agent_interaction([1, 2, 3]), sdk.receive_agent_interaction({"traceparent": "00-zz", 5: None}):
        pass
    failed, *others = spans()
    assert (failed.name, failed.status.status_code) == ("a_to_b", StatusCode.ERROR)
    assert all(span.parent is None for span in others)


def test_interaction_goes_where_the_tracer_was_told(telemetry, spans, make_telemetry):
    told = []
    other = make_telemetry(telemetry.settings.endpoint, analytics_hook=told.append)
    sdk.MultiAgentTracer(other).trace_agent_interaction("a", "b", "task", "", lambda payload, headers: None)
    assert spans() == ()
    assert [span.name for span in told] == ["a_to_b"]


class _Odd:
    pass


@pytest.mark.parametrize(
    ("payload", "size"),
    [
        (b"12345", 5),
        (memoryview(b"123").cast("b"), 3),
        ("ä", 2),
        ("", 0),
        (None, 4),
        ([1, 2.5, "ä"], len('[1,2.5,"ä"]'.encode())),
        (_Odd(), None),
        ({"x": _Odd()}, None),
    ],
)
def test_size_of_payloads(payload, size):
    assert payload_bytes(payload) == size
