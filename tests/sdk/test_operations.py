"""Decorators on functions of every form, and the same things as context managers."""

import asyncio
import gc
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from swarmscope import sdk


def _current_name():
    return getattr(trace.get_current_span(), "name", "")


def test_agent_is_a_genai_span(spans):
    @sdk.agent("researcher", version="2", agent_id="r-1", team="science", model="m")
    def work(x):
        assert _current_name() == "invoke_agent researcher"
        return x + 1

    assert work(1) == 2
    (span,) = spans()
    assert span.name == "invoke_agent researcher"
    assert span.kind is SpanKind.INTERNAL
    assert span.status.status_code is StatusCode.UNSET
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "researcher",
        "gen_ai.agent.version": "2",
        "gen_ai.agent.id": "r-1",
        "agent.team": "science",
        "gen_ai.request.model": "m",
    }


def test_names_are_those_of_functions_unless_given(spans):
    @sdk.agent
    def planner():
        """Plans.

        At length.
        """

    @sdk.tool
    def search():
        """Searches."""

    @sdk.workflow()
    def report(): ...

    planner(), search(), report()
    assert [span.name for span in spans()] == ["invoke_agent planner", "execute_tool search", "invoke_workflow report"]
    agent, tool, workflow = [dict(span.attributes) for span in spans()]
    assert agent["gen_ai.agent.description"] == "Plans."
    assert tool == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.description": "Searches.",
        "gen_ai.tool.type": "function",
    }
    assert workflow == {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": "report"}
    assert planner.__name__ == "planner"
    assert planner.__doc__.startswith("Plans.")


def test_error_is_told_and_raised_again(spans):
    @sdk.tool
    def search():
        raise LookupError("nothing there")

    with pytest.raises(LookupError, match="nothing there"):
        search()
    (span,) = spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "LookupError"
    assert [event.name for event in span.events] == ["exception"]
    assert span.events[0].attributes["exception.message"] == "nothing there"


def test_coroutines(spans):
    @sdk.agent
    async def slow(x):
        await asyncio.sleep(0)
        assert _current_name() == "invoke_agent slow"
        return x

    @sdk.tool
    async def broken():
        raise ValueError("no")

    async def main():
        assert await asyncio.gather(slow(1), slow(2)) == [1, 2]
        with pytest.raises(ValueError, match="no"):
            await broken()
        assert _current_name() == ""

    assert asyncio.iscoroutinefunction(slow)
    asyncio.run(main())
    assert [span.name for span in spans()] == ["invoke_agent slow"] * 2 + ["execute_tool broken"]
    assert all(span.parent is None for span in spans())


def test_cancelled_work_is_an_error(spans):
    @sdk.agent
    async def endless():
        await asyncio.sleep(60)

    async def main():
        task = asyncio.create_task(endless())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    (span,) = spans()
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "asyncio.exceptions.CancelledError"


def test_plain_functions_that_give_awaitables(spans):
    async def inner(x):
        return x

    @sdk.tool("coroutine")
    def gives_coroutine(x):
        return inner(x)

    @sdk.tool("task")
    def gives_task(x):
        return asyncio.get_running_loop().create_task(inner(x))

    async def main():
        assert await gives_coroutine(1) == 1
        task = gives_task(2)
        assert isinstance(task, asyncio.Task)
        assert await task == 2
        await asyncio.sleep(0)

    asyncio.run(main())
    assert [span.name for span in spans()] == ["execute_tool coroutine", "execute_tool task"]


def test_generator_is_current_only_while_it_runs(spans):
    @sdk.agent
    def stream():
        names = [_current_name()]
        with sdk.tool("lookup"):
            names.append(_current_name())
            got = yield "first"
            names.append((_current_name(), got))
        yield "second"
        return names

    generator = stream()
    assert spans() == ()
    assert next(generator) == "first"
    assert _current_name() == ""
    assert generator.send("x") == "second"
    assert _current_name() == ""
    with pytest.raises(StopIteration) as stop:
        next(generator)
    assert stop.value.value == ["invoke_agent stream", "execute_tool lookup", ("execute_tool lookup", "x")]
    lookup, agent = spans()
    assert (lookup.name, agent.name) == ("execute_tool lookup", "invoke_agent stream")
    assert lookup.parent.span_id == agent.context.span_id


def test_generator_takes_what_is_thrown(spans):
    @sdk.agent
    def stream():
        try:
            yield 1
        except KeyError:
            yield 2
        raise RuntimeError("end")

    generator = stream()
    next(generator)
    assert generator.throw(KeyError("k")) == 2
    with pytest.raises(RuntimeError, match="end"):
        next(generator)
    assert spans()[0].attributes["error.type"] == "RuntimeError"


def test_generator_closed_early_has_not_failed(spans):
    closed = []

    @sdk.agent
    def stream():
        try:
            yield from range(10)
        finally:
            closed.append(_current_name())

    for item in stream():
        if item == 2:
            break
    assert closed == ["invoke_agent stream"]
    (span,) = spans()
    assert span.status.status_code is StatusCode.UNSET


def test_async_generators(spans):
    @sdk.agent
    async def stream(n):
        for i in range(n):
            with sdk.tool("step"):
                await asyncio.sleep(0)
                got = yield (i, _current_name())
            assert got is None
        if n == 3:
            raise OSError("torn")

    async def main():
        assert [item async for item in stream(2)] == [(0, "execute_tool step"), (1, "execute_tool step")]
        assert _current_name() == ""
        with pytest.raises(OSError, match="torn"):
            [item async for item in stream(3)]
        left_early = stream(5)
        async for _ in left_early:
            break
        await left_early.aclose()

    asyncio.run(main())
    agents = [span for span in spans() if span.name == "invoke_agent stream"]
    assert [span.status.status_code for span in agents] == [StatusCode.UNSET, StatusCode.ERROR, StatusCode.UNSET]
    steps = [span for span in spans() if span.name == "execute_tool step"]
    assert len(steps) == 2 + 3 + 1
    assert {step.parent.span_id for step in steps} == {span.context.span_id for span in agents}


def test_context_managers_nest_and_are_reentrant(spans):
    step = sdk.tool("step")
    with sdk.workflow("report"), sdk.agent("writer") as span, step, step:
        assert span.name == "invoke_agent writer"
    assert [span.name for span in spans()] == [
        "execute_tool step", "execute_tool step", "invoke_agent writer", "invoke_workflow report",
    ]  # fmt: skip
    inner, outer, agent, workflow = spans()
    assert inner.parent.span_id == outer.context.span_id
    assert outer.parent.span_id == agent.context.span_id
    assert agent.parent.span_id == workflow.context.span_id


def test_one_context_manager_in_many_tasks(spans):
    step = sdk.tool("step")

    async def one(i):
        with sdk.agent(f"a{i}") as agent:
            await asyncio.sleep(0.001 * (5 - i))
            async with step as span:
                await asyncio.sleep(0.001 * i)
                assert span.parent.span_id == agent.context.span_id

    async def main():
        await asyncio.gather(*(one(i) for i in range(5)))

    asyncio.run(main())
    assert sorted(span.name for span in spans()) == ["execute_tool step"] * 5 + [f"invoke_agent a{i}" for i in range(5)]


def test_many_threads(telemetry, spans):
    @sdk.agent
    def outer(i):
        with telemetry.use():
            return inner(i)

    @sdk.tool
    def inner(i):
        return i, threading.get_ident()

    def work(i):
        with telemetry.use():
            return outer(i)

    with ThreadPoolExecutor(8) as pool:
        assert [i for i, _ in pool.map(work, range(200))] == list(range(200))
    agents = {span.context.span_id for span in spans() if span.name == "invoke_agent outer"}
    tools = [span.parent.span_id for span in spans() if span.name == "execute_tool inner"]
    assert len(agents) == 200
    assert sorted(tools) == sorted(agents)


def test_methods_and_callable_objects(spans):
    class Worker:
        @sdk.agent
        def work(self, x):
            return x

        def __call__(self, x):
            return -x

    assert Worker().work(3) == 3
    assert sdk.tool(Worker())(3) == -3
    assert [span.name for span in spans()] == ["invoke_agent work", "execute_tool Worker"]


def test_static_and_class_methods(spans):
    class Worker:
        @sdk.agent
        @staticmethod
        def static(x):
            return x

        @sdk.tool("made")
        @classmethod
        def make(cls, x):
            return cls, x

    assert (Worker.static(1), Worker().static(2)) == (1, 2)
    assert Worker().make(3) == (Worker, 3)
    assert [span.name for span in spans()] == ["invoke_agent static"] * 2 + ["execute_tool made"]


def test_classes_are_refused():
    with pytest.raises(TypeError, match="Worker is a class; its methods can be decorated"):

        @sdk.agent
        class Worker: ...


def test_async_generator_that_nobody_closes_ends_its_spans(spans):
    @sdk.agent
    async def stream():
        with sdk.tool("step"):
            yield 1
            yield 2

    async def main():
        async for _ in stream():
            break
        await asyncio.sleep(0.01)

    asyncio.run(main())
    gc.collect()
    assert sorted(span.name for span in spans()) == ["execute_tool step", "invoke_agent stream"]


def test_without_a_name(spans):
    with sdk.agent():
        pass
    assert (spans()[0].name, dict(spans()[0].attributes)) == ("invoke_agent", {"gen_ai.operation.name": "invoke_agent"})


def test_handoff(spans):
    with sdk.agent("triage"), sdk.handoff("billing"):
        pass
    with sdk.handoff("billing", source="triage", returns=True):
        pass
    first, _, second = spans()
    assert first.name == "execute_tool transfer_to_billing"
    assert dict(first.attributes) == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "transfer_to_billing",
        "gen_ai.tool.type": "function",
        "gen_ai.transfer.target.name": "billing",
        "gen_ai.transfer.mode": "pass_control",
    }
    assert second.attributes["gen_ai.transfer.mode"] == "return_to_caller"
    assert second.attributes["gen_ai.agent.name"] == "triage"


def test_inference_and_usage(spans):
    with sdk.inference("gpt-x", provider="openai"):
        sdk.record_usage(
            input_tokens=100, output_tokens=20, cached_input_tokens=60, reasoning_tokens=5, cost_usd=0.01,
            finish_reason="stop", response_model="gpt-x-1",
        )  # fmt: skip
    (span,) = spans()
    assert (span.name, span.kind) == ("chat gpt-x", SpanKind.CLIENT)
    assert dict(span.attributes) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-x",
        "gen_ai.response.model": "gpt-x-1",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.usage.cache_read.input_tokens": 60,
        "gen_ai.usage.reasoning.output_tokens": 5,
        "gen_ai.usage.cost": 0.01,
        "gen_ai.response.finish_reasons": ("stop",),
    }


def test_usage_of_nothing_and_unknown_names():
    sdk.record_usage(input_tokens=1)
    with pytest.raises(TypeError, match="record_usage knows input_tokens"):
        sdk.record_usage(tokens=1)


def test_content_only_when_asked_for(telemetry, spans, make_telemetry):
    @sdk.tool
    def search(query, *, limit=3):
        return [query] * limit

    search("a")
    assert "gen_ai.tool.call.arguments" not in spans()[0].attributes
    told = []
    other = make_telemetry(telemetry.settings.endpoint, capture_content=True, analytics_hook=told.append)
    with other.use():
        search("b", limit=2)
        search({1, 2}, limit=1)
    assert json.loads(told[0].attributes["gen_ai.tool.call.arguments"]) == {"query": "b", "limit": 2}
    assert json.loads(told[0].attributes["gen_ai.tool.call.result"]) == ["b", "b"]
    assert json.loads(told[1].attributes["gen_ai.tool.call.arguments"]) == {"query": "{1, 2}", "limit": 1}


def test_conversation_is_on_all_spans_inside(spans):
    with sdk.conversation("c-1"), sdk.agent("a"):
        assert sdk.current_conversation() == "c-1"
        with sdk.conversation("c-2"), sdk.tool("t"):
            pass
        with sdk.tool("u"):
            pass
    assert sdk.current_conversation() == ""
    found = {span.name: span.attributes["gen_ai.conversation.id"] for span in spans()}
    assert found == {"execute_tool t": "c-2", "execute_tool u": "c-1", "invoke_agent a": "c-1"}


def test_without_configuration_nothing_happens():
    @sdk.agent
    def work():
        return 1

    assert work() == 1
