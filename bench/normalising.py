"""What it costs to find out what spans say of agents: CPU seconds for a million spans.

`python -m bench.normalising`; the spans are the benchmark's (one in eight calls a model), and spans of agents alone.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable

import numpy as np

from bench.span_bodies import encode_span_bodies
from swarmscope.ingest.genai.normaliser import SpanNormaliser
from swarmscope.ingest.genai.prices import Prices
from swarmscope.model.agents import Vocabulary
from swarmscope.model.spans import SpanBatch
from swarmscope.receivers.otlp.span_decode import TracesDecoder
from swarmscope.testing.plain_spans import PlainSpan, to_batch

_TRACES_PER_BATCH = 500
_BATCHES = 20
_ROUNDS = 5
_MILLION = 1_000_000
_NOW_NS = 1_790_000_000_000_000_000


def main() -> None:
    """Print a line for each kind of spans."""
    for name, make in (("benchmark", _benchmark_batches), ("agents", _agent_batches)):
        print(f"{name}: {_measure(make):.3f} CPU-s per million spans")


def _measure(make: Callable[[], list[SpanBatch]]) -> float:
    batches = make()
    normaliser = SpanNormaliser(Vocabulary(), 7, Prices())
    for batch in batches:  # compiles, and learns the names
        normaliser.normalise(batch)
    best = float("inf")
    for _ in range(_ROUNDS):
        began = time.process_time()
        for batch in batches:
            normaliser.normalise(batch)
        best = min(best, time.process_time() - began)
    return best / sum(map(len, batches)) * _MILLION


def _benchmark_batches() -> list[SpanBatch]:
    decoder, generator = TracesDecoder(3), np.random.default_rng(1)
    batches = []
    for body in encode_span_bodies(_BATCHES, _TRACES_PER_BATCH):
        times_ns = _NOW_NS + generator.integers(0, 1_000_000_000, body.n_times)
        payload = np.frombuffer(body.rewrite(times_ns, generator), np.uint8)
        batches.append(decoder.decode(payload, "default").batch)
    return batches


def _agent_batches() -> list[SpanBatch]:
    """Agents that call models and tools, with messages, as OpenTelemetry's conventions and OpenInference have them."""
    source = random.Random(5)
    return [to_batch([_agent_span(source) for _ in range(8 * _TRACES_PER_BATCH)]) for _ in range(2)]


def _agent_span(source: random.Random) -> PlainSpan:
    agent, words = f"agent-{source.randrange(60)}", [f"word{source.randrange(5000)}" for _ in range(60)]
    tokens = source.randrange(12_000), source.randrange(2_000)
    attributes: dict[str, str | int | float | bool]
    match source.randrange(3):
        case 0:
            name = "chat gpt-4o"
            attributes = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "gpt-4o",
                "gen_ai.response.model": "gpt-4o-2024-08-06",
                "gen_ai.usage.input_tokens": tokens[0],
                "gen_ai.usage.output_tokens": tokens[1],
                "gen_ai.agent.name": agent,
                "server.port": 443,
                "gen_ai.conversation.id": f"{source.getrandbits(64):x}",
                "gen_ai.output.messages": json.dumps(words),
                "gen_ai.input.messages": json.dumps(words * 4),
            }
        case 1:
            name = f"execute_tool tool-{source.randrange(40)}"
            attributes = {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": name.partition(" ")[2],
                "gen_ai.tool.call.arguments": json.dumps({"query": words[:12]}),
                "gen_ai.tool.type": "function",
                "gen_ai.tool.call.id": f"call_{source.getrandbits(64):x}",
                "gen_ai.agent.name": agent,
            }
        case _:
            name = "ChatOpenAI"
            attributes = {
                "openinference.span.kind": "LLM",
                "llm.provider": "openai",
                "llm.model_name": "gpt-4o",
                "llm.token_count.prompt": tokens[0],
                "llm.token_count.completion": tokens[1],
                "agent.name": agent,
                "session.id": f"{source.getrandbits(64):x}",
                "output.value": json.dumps(words * 2),
                "input.value": json.dumps(words * 4),
                "llm.output_messages.0.message.content": " ".join(words),
            }
    return PlainSpan(
        source.randbytes(16), source.randbytes(8), name, _NOW_NS, _NOW_NS + 1_000_000, source.randbytes(8), 3,
        attributes=attributes, resource={"service.name": "agents", "service.version": "1"},
    )  # fmt: skip


if __name__ == "__main__":
    main()
