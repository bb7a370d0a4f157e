"""One story told by seven frameworks: from the bytes that they sent to agents, tools, tokens and interactions.

The bytes are recorded by `tests/clients/agents/record.py`; `test_agent_frameworks.py` runs the frameworks themselves.
"""

from __future__ import annotations

import gzip
from collections import Counter, defaultdict
from collections.abc import Callable

import numpy as np
import pytest

from swarmscope.analysis.agents.conversations import to_conversation
from swarmscope.analysis.agents.edges import to_edges
from swarmscope.analysis.agents.forest import SpanForest
from swarmscope.analysis.agents.settled import Settled
from swarmscope.analysis.agents.usage import to_usage
from swarmscope.ingest.genai.normaliser import SpanNormaliser
from swarmscope.ingest.genai.prices import Prices
from swarmscope.model.agents import AgentSpans, InteractionType, Vocabulary
from swarmscope.model.fleet import EdgeMeasure, StoredAgentSpans, UsageMeasure
from swarmscope.receivers.otlp.span_decode import TracesDecoder
from tests.clients.agents.record import CONVERSATION
from tests.clients.agents.runs import FRAMEWORKS, RECORDED
from tests.integration.agent_stories import AgentPart, Story, told_by

PRICES = Prices()
# Of a million tokens; see https://openai.com/api/pricing.
INPUT_USD, OUTPUT_USD = 0.15, 0.60
LONG_NS = 3600 * 10**9


def settled_spans(
    framework: str, vocabulary: Vocabulary, order: Callable[[int], np.ndarray] | None = None
) -> list[Settled]:
    body = gzip.decompress((RECORDED / f"{framework}.otlp.gz").read_bytes())
    return settled_of(body, vocabulary, order)


def settled_of(body: bytes, vocabulary: Vocabulary, order: Callable[[int], np.ndarray] | None = None) -> list[Settled]:
    batch = TracesDecoder(1).decode(np.frombuffer(body, np.uint8), "team", lambda n_bytes: None).batch
    spans = SpanNormaliser(vocabulary, 7, PRICES).normalise(batch)
    now_ns = int(spans.end_ns.max())
    forest = SpanForest(vocabulary, tenant="team")
    parts = [spans] if order is None else [spans.take(np.array([row])) for row in order(len(spans))]
    return [*(forest.settle(part, now_ns) for part in parts), forest.expire(now_ns + LONG_NS)]


def to_story(parts: list[Settled], vocabulary: Vocabulary) -> Story:
    sums: dict[str, Counter[str]] = defaultdict(Counter)
    models: dict[str, set[str]] = defaultdict(set)
    tools: Counter[str] = Counter()
    edges: Counter[tuple[str, str, str]] = Counter()
    for part in parts:
        usage, found = to_usage(part), to_edges(part)
        for at in range(len(usage.minute_ns)):
            agent = vocabulary.text(int(usage.agent[at]))
            for measure in UsageMeasure:
                sums[agent][measure.name] += usage.measures[at, measure]
            if usage.measures[at, UsageMeasure.INFERENCES]:
                models[agent].add(vocabulary.text(int(usage.model[at])))
            tools[vocabulary.text(int(usage.tool[at]))] += int(usage.measures[at, UsageMeasure.TOOL_CALLS])
        for at in range(len(found)):
            source, target = (vocabulary.text(int(codes[at])) for codes in (found.source, found.target))
            edges[source, target, InteractionType(int(found.type[at])).label] += int(
                found.measures[at, EdgeMeasure.COUNT]
            )
    sums.pop("", None)  # what is around the work of agents is nobody's
    return Story(
        agents={
            name: AgentPart(
                int(sums[name]["INFERENCES"]), int(sums[name]["TOOL_CALLS"]), int(sums[name]["INPUT_TOKENS"]),
                int(sums[name]["OUTPUT_TOKENS"]), frozenset(models[name]),
            )
            for name in sums
        },
        edges=dict(+edges), tools=dict(+tools),
        conversations=frozenset().union(*(conversations(part.spans) for part in parts)) - {""},
    )  # fmt: skip


def conversations(spans: AgentSpans) -> set[str]:
    texts = spans.conversation
    return {
        texts.buffer[start : start + length].tobytes().decode()
        for start, length in zip(texts.start.tolist(), texts.length.tolist(), strict=True)
    }


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_story_is_the_same_in_every_framework(framework: str) -> None:
    vocabulary = Vocabulary()
    assert to_story(settled_spans(framework, vocabulary), vocabulary) == told_by(framework, CONVERSATION)


TELLING = [name for name in FRAMEWORKS if not name.startswith("autogen")]


@pytest.mark.parametrize("framework", TELLING)
def test_the_conversation_has_all_of_the_story(framework: str) -> None:
    vocabulary = Vocabulary()
    parts = settled_spans(framework, vocabulary)
    found = to_conversation(
        StoredAgentSpans(
            AgentSpans.concat([part.spans for part in parts]),
            np.concatenate([part.caller for part in parts]),
            vocabulary,
        )
    )
    wanted = told_by(framework, CONVERSATION)
    assert {share.tool: share.calls for share in found.tools} == wanted.tools
    assert found.models == ("gpt-4o-mini",)
    assert (found.errors, len(found.trace_ids)) == (0, 1)
    shares = {
        share.agent: AgentPart(
            share.inferences, share.tool_calls, share.input_tokens, share.output_tokens, frozenset(found.models)
        )
        for share in found.agents
        if share.agent
    }
    assert shares == wanted.agents
    handed_over = {(message.source, message.target, message.type) for message in found.messages}
    assert handed_over == wanted.edges.keys()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_the_story_is_the_same_when_spans_come_one_by_one_in_any_order(framework: str) -> None:
    vocabulary = Vocabulary()
    parts = settled_spans(framework, vocabulary, lambda n: np.random.default_rng(1).permutation(n))
    assert to_story(parts, vocabulary) == told_by(framework, CONVERSATION)


@pytest.mark.parametrize("framework", TELLING)
def test_what_an_agent_cost(framework: str) -> None:
    vocabulary = Vocabulary()
    cost: Counter[str] = Counter()
    for part in settled_spans(framework, vocabulary):
        usage = to_usage(part)
        for agent, measures in zip(usage.agent.tolist(), usage.measures, strict=True):
            cost[vocabulary.text(agent)] += measures[UsageMeasure.COST_USD]
    for name, part in told_by(framework, CONVERSATION).agents.items():
        wanted = (part.input_tokens * INPUT_USD + part.output_tokens * OUTPUT_USD) / 1e6
        assert cost[name] == pytest.approx(wanted)


@pytest.mark.parametrize("framework", TELLING)
def test_a_conversation_is_the_same_in_any_order(framework: str) -> None:
    vocabulary, random = Vocabulary(), np.random.default_rng(5)
    parts = settled_spans(framework, vocabulary)
    spans, caller = AgentSpans.concat([part.spans for part in parts]), np.concatenate([part.caller for part in parts])
    wanted = sum(part.input_tokens for part in told_by(framework, CONVERSATION).agents.values())
    for _ in range(20):
        order = random.permutation(len(spans))
        found = to_conversation(StoredAgentSpans(spans.take(order), caller[order], vocabulary))
        assert found.input_tokens == wanted
