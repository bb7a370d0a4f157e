"""Agents without a framework: the loop that takes turns between OpenAI's client and tools."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import story
from openai import OpenAI

Tools = dict[str, Callable[..., str]]


def converse(client: OpenAI, agent: str, request: str, tools: Tools) -> str:
    """What the agent answers in the end; `tools` by name, each with one argument."""
    messages: list[Any] = [
        {"role": "system", "content": story.INSTRUCTIONS[agent]}, {"role": "user", "content": request},
    ]  # fmt: skip
    told: Any = {"tools": [_description(name) for name in tools]} if tools else {}
    while True:
        message = client.chat.completions.create(model=story.MODEL, messages=messages, **told).choices[0].message
        if not message.tool_calls:
            return message.content or ""
        messages.append(message.model_dump(exclude_none=True))
        for call in message.tool_calls:
            answer = tools[call.function.name](**json.loads(call.function.arguments))
            messages.append({"role": "tool", "tool_call_id": call.id, "content": answer})


def _description(name: str) -> dict[str, Any]:
    argument = "query" if name == "search" else "request"
    return {
        "type": "function",
        "function": {
            "name": name, "description": name,
            "parameters": {"type": "object", "properties": {argument: {"type": "string"}}, "required": [argument]},
        },
    }  # fmt: skip
