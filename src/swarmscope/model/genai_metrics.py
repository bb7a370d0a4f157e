"""Metrics of generative AI in all generations: which names and labels mean the same quantity.

Names are compared in the form that Prometheus gives them (dots are underscores), without suffixes of units and
parts, so `gen_ai.client.token.usage` and `gen_ai_client_token_usage_sum` are one. Sources: the conventions up to 1.41
(https://github.com/open-telemetry/semantic-conventions/blob/v1.41.0/docs/gen-ai/gen-ai-metrics.md), those of the
repository of their own (https://github.com/open-telemetry/semantic-conventions-genai), OpenLLMetry's and OpenLIT's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple


class Quantity(StrEnum):
    """What a metric counts or measures."""

    INPUT_TOKENS = "input_tokens"  # cached ones included
    OUTPUT_TOKENS = "output_tokens"  # reasoning included
    CACHED_TOKENS = "cached_tokens"
    CACHE_WRITE_TOKENS = "cache_write_tokens"
    REASONING_TOKENS = "reasoning_tokens"
    COST_USD = "cost_usd"
    REQUESTS = "requests"
    INFERENCE_DURATION = "inference_duration"  # seconds, as all durations
    TIME_TO_FIRST_CHUNK = "time_to_first_chunk"
    TIME_PER_OUTPUT_CHUNK = "time_per_output_chunk"
    SERVER_DURATION = "server_duration"
    SERVER_TIME_TO_FIRST_TOKEN = "server_time_to_first_token"  # noqa: S105 - of text, not a secret
    SERVER_TIME_PER_OUTPUT_TOKEN = "server_time_per_output_token"  # noqa: S105
    AGENT_DURATION = "agent_duration"
    AGENT_INFERENCE_CALLS = "agent_inference_calls"
    AGENT_TOOL_CALLS = "agent_tool_calls"
    TOOL_DURATION = "tool_duration"
    WORKFLOW_DURATION = "workflow_duration"
    MCP_CLIENT_DURATION = "mcp_client_duration"
    MCP_SERVER_DURATION = "mcp_server_duration"


class Part(StrEnum):
    """Which series of a metric it is."""

    VALUE = "value"  # a counter's, or a native histogram
    SUM = "sum"
    COUNT = "count"
    BUCKET = "bucket"


class MetricMeaning(NamedTuple):
    """What a series tells."""

    quantity: Quantity
    part: Part


# By name; None where a label says which tokens they are.
_QUANTITIES: dict[str, Quantity | None] = {
    # Up to 1.41; OpenLLMetry and OpenLIT write these too.
    "gen_ai_client_token_usage": None,
    "gen_ai_client_operation_duration": Quantity.INFERENCE_DURATION,
    "gen_ai_client_operation_time_to_first_chunk": Quantity.TIME_TO_FIRST_CHUNK,
    "gen_ai_client_operation_time_per_output_chunk": Quantity.TIME_PER_OUTPUT_CHUNK,
    "gen_ai_server_request_duration": Quantity.SERVER_DURATION,
    "gen_ai_server_time_to_first_token": Quantity.SERVER_TIME_TO_FIRST_TOKEN,
    "gen_ai_server_time_per_output_token": Quantity.SERVER_TIME_PER_OUTPUT_TOKEN,
    # The repository of their own. Its histograms of tokens by call (`…operation.input_tokens`) tell the same tokens as
    # its counters, so they are not among these.
    "gen_ai_client_inference_usage_input_tokens": Quantity.INPUT_TOKENS,
    "gen_ai_client_inference_usage_output_tokens": Quantity.OUTPUT_TOKENS,
    "gen_ai_client_inference_usage_cache_read_input_tokens": Quantity.CACHED_TOKENS,
    "gen_ai_client_inference_usage_cache_write_input_tokens": Quantity.CACHE_WRITE_TOKENS,
    "gen_ai_client_inference_usage_reasoning_output_tokens": Quantity.REASONING_TOKENS,
    "gen_ai_client_inference_duration": Quantity.INFERENCE_DURATION,
    "gen_ai_client_inference_time_to_first_chunk": Quantity.TIME_TO_FIRST_CHUNK,
    "gen_ai_client_inference_time_per_output_chunk": Quantity.TIME_PER_OUTPUT_CHUNK,
    "gen_ai_invoke_agent_duration": Quantity.AGENT_DURATION,
    "gen_ai_invoke_agent_inference_calls": Quantity.AGENT_INFERENCE_CALLS,
    "gen_ai_invoke_agent_tool_calls": Quantity.AGENT_TOOL_CALLS,
    "gen_ai_execute_tool_duration": Quantity.TOOL_DURATION,
    "gen_ai_invoke_workflow_duration": Quantity.WORKFLOW_DURATION,
    "mcp_client_operation_duration": Quantity.MCP_CLIENT_DURATION,
    "mcp_server_operation_duration": Quantity.MCP_SERVER_DURATION,
    # OpenLLMetry, before it followed OpenTelemetry.
    "llm_openai_chat_completions_tokens": None,
    "llm_openai_chat_completions_duration": Quantity.INFERENCE_DURATION,
    "llm_chat_completions_streaming_time_to_first_token": Quantity.TIME_TO_FIRST_CHUNK,
    # OpenLIT, pydantic-ai
    "gen_ai_usage_input_tokens": Quantity.INPUT_TOKENS,
    "gen_ai_usage_output_tokens": Quantity.OUTPUT_TOKENS,
    "gen_ai_usage_prompt_tokens": Quantity.INPUT_TOKENS,
    "gen_ai_usage_completion_tokens": Quantity.OUTPUT_TOKENS,
    "gen_ai_usage_cost": Quantity.COST_USD,
    "gen_ai_requests": Quantity.REQUESTS,  # gen_ai.total.requests, see `_WORDS`
    "operation_cost": Quantity.COST_USD,
}
_TOKEN_TYPES = {
    "input": Quantity.INPUT_TOKENS,
    "prompt": Quantity.INPUT_TOKENS,
    "output": Quantity.OUTPUT_TOKENS,
    "completion": Quantity.OUTPUT_TOKENS,
    "cache_read": Quantity.CACHED_TOKENS,
    "cached": Quantity.CACHED_TOKENS,
    "cache_write": Quantity.CACHE_WRITE_TOKENS,
    "cache_creation": Quantity.CACHE_WRITE_TOKENS,
    "reasoning": Quantity.REASONING_TOKENS,
}
_TOKEN_TYPE_LABELS = ("gen_ai_token_type", "llm_usage_token_type")
AGENT_LABELS = (
    "gen_ai_agent_name", "agent_name", "agent", "llm_agent_name", "gcp_vertex_agent_name", "crewai_agent_role",
)  # fmt: skip
MODEL_LABELS = (
    "gen_ai_response_model", "gen_ai_request_model", "llm_response_model", "llm_request_model", "llm_model_name",
    "model_name", "model",
)  # fmt: skip
PROVIDER_LABELS = ("gen_ai_provider_name", "gen_ai_system", "llm_provider", "llm_system", "llm_vendor", "provider")
_PARTS = {"_sum": Part.SUM, "_count": Part.COUNT, "_bucket": Part.BUCKET}
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9_]")
_UNITS = re.compile(r"(?:_total|_seconds|_token|_USD|_usd|_dollars)+$")
_WORDS = re.compile(r"_total(?=_)")  # `total` is a suffix of counters, wherever a name has it


def meaning_of(name: str, labels: Mapping[str, str]) -> MetricMeaning | None:
    """What a series of this name and these labels tells; None where it is no metric of generative AI."""
    plain, part = _WORDS.sub("", _plain(name)), Part.VALUE
    for suffix, own in _PARTS.items():
        if plain.endswith(suffix):
            plain, part = plain.removesuffix(suffix), own
    if plain not in _QUANTITIES:
        plain = _UNITS.sub("", plain)
    if plain not in _QUANTITIES:
        return None
    quantity = _QUANTITIES[plain]
    if quantity is None:
        quantity = _TOKEN_TYPES.get(first_label(labels, _TOKEN_TYPE_LABELS).lower())
    return None if quantity is None else MetricMeaning(quantity, part)


def agent_of(labels: Mapping[str, str], further: Iterable[str] = ()) -> str:
    """The agent that a label set names, "" for none; labels `further` are asked first."""
    return first_label(labels, (*map(_plain, further), *AGENT_LABELS))


def first_label(labels: Mapping[str, str], names: Iterable[str]) -> str:
    """The first of these labels that is there, whether spelled with dots or with underscores; "" for none."""
    plain = {_plain(name): value for name, value in labels.items() if value}
    return next((plain[name] for name in names if name in plain), "")


def _plain(name: str) -> str:
    return _NOT_IN_NAMES.sub("_", name)
