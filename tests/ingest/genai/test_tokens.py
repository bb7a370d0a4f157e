"""Tokens in one meaning: what was cached is part of the input, what was reasoned part of the output; odd values too."""

from __future__ import annotations

import math

import pytest
from tests.ingest.genai.normalised import row

from swarmscope.model.agents import AgentOperation, CostSource

CHAT = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "anthropic", "gen_ai.request.model": "m"}
OPENLIT = {"gen_ai.sdk.version": "1", "gen_ai.request.is_stream": True, "gen_ai.application_name": "a"}


def tokens(attributes):
    told = row(attributes)
    return tuple(
        told.get(name)
        for name in ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
    )


def test_cached_tokens_are_part_of_the_input():
    assert tokens(CHAT | {"gen_ai.usage.input_tokens": 900, "gen_ai.usage.output_tokens": 50,
                          "gen_ai.usage.cache_read.input_tokens": 600,
                          "gen_ai.usage.cache_write.input_tokens": 200}) == (900, 50, 600, 200, None)  # fmt: skip
    assert tokens({"openinference.span.kind": "LLM", "llm.provider": "anthropic", "llm.token_count.prompt": 900,
                   "llm.token_count.prompt_details.cache_read": 600}) == (900, None, 600, None, None)  # fmt: skip


def test_openlit_tells_them_apart_where_anthropic_does():
    cached = {"gen_ai.usage.input_tokens": 900, "gen_ai.usage.cache_read.input_tokens": 600,
              "gen_ai.usage.cache_creation.input_tokens": 50}  # fmt: skip
    assert tokens(CHAT | OPENLIT | cached) == (1550, None, 600, 50, None)
    assert tokens(CHAT | OPENLIT | cached | {"gen_ai.provider.name": "openai"}) == (900, None, 600, 50, None)


def test_more_than_the_whole_cannot_be_a_part_of_it():
    assert tokens(CHAT | {"gen_ai.usage.input_tokens": 3, "gen_ai.usage.cache_read_input_tokens": 500,
                          "gen_ai.usage.cache_creation_input_tokens": 20}) == (523, None, 500, 20, None)  # fmt: skip
    assert tokens(CHAT | {"gen_ai.usage.output_tokens": 10, "gen_ai.usage.reasoning.output_tokens": 90}) == (
        None, 100, None, None, 90,
    )  # fmt: skip


def test_the_new_name_goes_before_the_old_one():
    assert tokens(CHAT | {"gen_ai.usage.prompt_tokens": 1, "gen_ai.usage.input_tokens": 2})[0] == 2
    assert tokens({"gen_ai.usage.cache_creation.input_tokens": 5, "gen_ai.usage.cache_write.input_tokens": 6,
                   "gen_ai.usage.input_tokens": 9})[3] == 6  # fmt: skip


def test_what_is_left_of_a_total_is_output():
    assert tokens({"llm.request.type": "chat", "gen_ai.usage.prompt_tokens": 7, "llm.usage.total_tokens": 10}) == (
        7, 3, None, None, None,
    )  # fmt: skip
    assert tokens({"openinference.span.kind": "EMBEDDING", "llm.token_count.total": 10})[:2] == (10, None)
    assert tokens({"openinference.span.kind": "LLM", "llm.token_count.total": 10})[:2] == (None, None)


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (12, 12), (0, 0), (12.0, 12), ("12", 12), (" 12.0 ", 12), ("1e3", None), ("", None), ("many", None),
        (-1, None), (-0.5, None), (math.nan, None), (math.inf, None), (1e300, None), (True, None), (None, None),
        (b"\1\2", None), ("9" * 30, None), (".", None),
    ],
)  # fmt: skip
def test_numbers_of_every_kind(value, count):
    assert tokens({"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": value})[0] == count


def test_costs_that_spans_tell():
    whole = row(CHAT | {"gen_ai.usage.cost": "0.25", "gen_ai.usage.input_tokens": 5})
    assert (whole["cost_usd"], whole["cost_source"]) == (0.25, CostSource.SPAN)
    parts = {"openinference.span.kind": "LLM", "llm.cost.prompt": 0.25, "llm.cost.completion": 0.5}
    assert row(parts)["cost_usd"] == 0.75
    assert row(parts | {"llm.cost.total": 1})["cost_usd"] == 1
    assert row({"openinference.span.kind": "LLM", "llm.cost.completion": 0.5})["cost_usd"] == 0.5
    assert row({"agent_name": "a", "operation.cost": 0.125})["cost_usd"] == 0.125
    assert "cost_usd" not in row(CHAT | {"gen_ai.usage.cost": -1.0})


def test_totals_of_agents_stay_in_their_rows():
    told = row({"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "a", "gen_ai.usage.input_tokens": 5})
    assert (told["operation"], told["input_tokens"]) == (AgentOperation.INVOKE_AGENT, 5)
    assert "cost_source" not in told
