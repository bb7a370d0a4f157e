"""Words that conventions spell differently, in OpenTelemetry's spelling."""

from __future__ import annotations

_PROVIDERS = {
    "az.ai.openai": "azure.ai.openai",
    "azure": "azure.ai.openai",
    "azure_openai": "azure.ai.openai",
    "az.ai.inference": "azure.ai.inference",
    "azure_ai": "azure.ai.inference",
    "vertex_ai": "gcp.vertex_ai",
    "vertexai": "gcp.vertex_ai",
    "google.vertex": "gcp.vertex_ai",
    "google_vertexai": "gcp.vertex_ai",
    "google-vertex": "gcp.vertex_ai",
    "gemini": "gcp.gemini",
    "google.ai.studio": "gcp.gemini",
    "google.generative-ai": "gcp.gemini",
    "google-gla": "gcp.gemini",
    "google": "gcp.gen_ai",
    "google_genai": "gcp.gen_ai",
    "gcp": "gcp.gen_ai",
    "xai": "x_ai",
    "x-ai": "x_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "aws": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "aws_bedrock": "aws.bedrock",
    "amazon_bedrock": "aws.bedrock",
    "amazon-bedrock": "aws.bedrock",
    "ibm.watson.ai": "ibm.watsonx.ai",
    "watsonx": "ibm.watsonx.ai",
    "moonshot": "moonshot_ai",
    "moonshotai": "moonshot_ai",
    "hugging_face": "huggingface",
    "openai.chat": "openai",
    "openai.responses": "openai",
    "anthropic.messages": "anthropic",
}
_FINISH_REASONS = {
    "tool_calls": "tool_call",
    "tool-calls": "tool_call",
    "tool_use": "tool_call",
    "function_call": "tool_call",
    "end_turn": "stop",
    "stop_sequence": "stop",
    "completed": "stop",
    "max_tokens": "length",
    "max_output_tokens": "length",
    "content-filter": "content_filter",
    "safety": "content_filter",
    "refusal": "content_filter",
}
# What some put before a model's name: that is a path of an API.
_MODEL_PATHS = ("models/", "publishers/google/models/", "publishers/anthropic/models/")


def canonical_provider(text: str) -> str:
    """One of the well-known values of `gen_ai.provider.name` where it is meant, else the text in small letters."""
    small = text.lower()
    return _PROVIDERS.get(small, small)


def canonical_finish_reason(text: str) -> str:
    """One of stop, length, content_filter, tool_call, error where it is meant, else the text in small letters."""
    small = text.strip("[]\"' ").lower()
    return _FINISH_REASONS.get(small, small)


def canonical_model(text: str) -> str:
    """A model's name without the path of an API."""
    for path in _MODEL_PATHS:
        text = text.removeprefix(path)
    return text
