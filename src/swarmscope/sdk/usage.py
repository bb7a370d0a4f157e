"""What a call of a model used, told on the span that is open."""

from __future__ import annotations

from typing import TypedDict, Unpack

from opentelemetry.trace import get_current_span
from opentelemetry.util.types import AttributeValue

_KEYS = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cached_input_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_input_tokens": "gen_ai.usage.cache_write.input_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "cost_usd": "gen_ai.usage.cost",
    "model": "gen_ai.request.model",
    "response_model": "gen_ai.response.model",
    "provider": "gen_ai.provider.name",
}


class Usage(TypedDict, total=False):
    """What can be told; cached tokens are part of the input, reasoning is part of the output."""

    input_tokens: int
    output_tokens: int
    cached_input_tokens: int
    cache_write_input_tokens: int
    reasoning_tokens: int
    cost_usd: float
    model: str
    response_model: str
    provider: str
    finish_reason: str


def record_usage(**usage: Unpack[Usage]) -> None:
    """Set `gen_ai.usage.…` on the current span: totals of that span's own work, not added to what was set before.

    Unknown names raise TypeError; without an open span nothing happens.
    """
    attributes: dict[str, AttributeValue] = {}
    for name, value in usage.items():
        if name == "finish_reason":
            attributes["gen_ai.response.finish_reasons"] = [str(value)]
        elif name not in _KEYS:
            raise TypeError(f"record_usage knows {', '.join([*_KEYS, 'finish_reason'])}; it was told {name}")
        elif isinstance(value, int | float | str):
            attributes[_KEYS[name]] = value
    get_current_span().set_attributes(attributes)
