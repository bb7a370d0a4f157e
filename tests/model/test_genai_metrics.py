"""What metrics of every generation mean; names as the conventions have them, and as Prometheus spells them."""

import pytest

from swarmscope.model.genai_metrics import (
    MODEL_LABELS,
    PROVIDER_LABELS,
    MetricMeaning,
    Part,
    Quantity,
    agent_of,
    first_label,
    meaning_of,
)

INPUT = {"gen_ai.token.type": "input"}


@pytest.mark.parametrize(
    ("name", "labels", "quantity", "part"),
    [
        ("gen_ai.client.token.usage", INPUT, Quantity.INPUT_TOKENS, Part.VALUE),
        ("gen_ai_client_token_usage_sum", {"gen_ai_token_type": "output"}, Quantity.OUTPUT_TOKENS, Part.SUM),
        ("gen_ai_client_token_usage_bucket", {"gen_ai_token_type": "completion"}, Quantity.OUTPUT_TOKENS, Part.BUCKET),
        ("gen_ai_client_token_usage_token_sum", {"gen_ai_token_type": "input"}, Quantity.INPUT_TOKENS, Part.SUM),
        ("gen_ai_client_operation_duration_seconds_count", {}, Quantity.INFERENCE_DURATION, Part.COUNT),
        ("gen_ai.client.inference.duration", {}, Quantity.INFERENCE_DURATION, Part.VALUE),
        ("gen_ai_client_inference_usage_input_tokens_total", {}, Quantity.INPUT_TOKENS, Part.VALUE),
        ("gen_ai.client.inference.usage.cache_read.input_tokens", {}, Quantity.CACHED_TOKENS, Part.VALUE),
        ("gen_ai_client_inference_usage_reasoning_output_tokens_total", {}, Quantity.REASONING_TOKENS, Part.VALUE),
        ("gen_ai_invoke_agent_duration_seconds_sum", {}, Quantity.AGENT_DURATION, Part.SUM),
        ("gen_ai.total.requests", {}, Quantity.REQUESTS, Part.VALUE),
        ("gen_ai_usage_cost_USD_total", {}, Quantity.COST_USD, Part.VALUE),
        ("llm_openai_chat_completions_tokens_total", {"llm_usage_token_type": "prompt"}, Quantity.INPUT_TOKENS,
         Part.VALUE),
        ("mcp_client_operation_duration_seconds_bucket", {}, Quantity.MCP_CLIENT_DURATION, Part.BUCKET),
    ],
)  # fmt: skip
def test_names_of_all_generations(name, labels, quantity, part):
    assert meaning_of(name, labels) == MetricMeaning(quantity, part)


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("http_server_request_duration_seconds_sum", {}),
        ("gen_ai_client_token_usage_sum", {}),  # which tokens?
        ("gen_ai_client_inference_operation_input_tokens_sum", {}),  # told by the counter already
        ("process_cpu_seconds_total", {"gen_ai_token_type": "input"}),
    ],
)
def test_other_names_mean_nothing(name, labels):
    assert meaning_of(name, labels) is None


def test_labels_in_either_spelling():
    assert agent_of({"gen_ai.agent.name": "scout", "agent": "x"}) == "scout"
    assert agent_of({"agent_name": "scout", "gen_ai_agent_name": ""}) == "scout"
    assert agent_of({"bot": "scout", "agent": "x"}, ["bot"]) == "scout"
    assert agent_of({"job": "api"}) == ""
    labels = {"gen_ai_request_model": "a", "gen_ai.response.model": "b", "gen_ai_system": "openai"}
    assert first_label(labels, MODEL_LABELS) == "b"
    assert first_label(labels, PROVIDER_LABELS) == "openai"
