"""A stand-in for OpenAI's HTTP API on loopback that answers chat completions as the story says."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import story


def as_function(call: story.ToolCall) -> tuple[str, dict[str, str]]:
    return call.name, call.arguments("request")


@contextlib.contextmanager
def model_server(
    to_function: Callable[[story.ToolCall], tuple[str, dict[str, str]]] = as_function,
) -> Iterator[str]:
    """Its address, as `base_url`; `to_function` gives the name and the arguments that a framework's tool has."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/v1/chat/completions", self.path
            request = json.loads(self.rfile.read(int(self.headers["content-length"])))
            body = json.dumps(completion(request, to_function)).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()


def completion(request: dict[str, Any], to_function: Callable[[story.ToolCall], Any]) -> dict[str, Any]:
    """https://platform.openai.com/docs/api-reference/chat/object"""
    messages = request["messages"]
    reply = story.reply_to(messages[0]["content"], sum(message["role"] == "tool" for message in messages))
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None, "refusal": None}
    if call := reply.call:
        name, arguments = to_function(call)
        function = {"name": name, "arguments": json.dumps(arguments)}
        message["tool_calls"] = [{"id": call.id, "type": "function", "function": function}]
    return {
        "id": "chatcmpl-1", "object": "chat.completion", "created": 1_780_000_000, "model": request["model"],
        "choices": [
            {"index": 0, "message": message, "logprobs": None, "finish_reason": "tool_calls" if call else "stop"}
        ],
        "usage": {
            "prompt_tokens": reply.input_tokens, "completion_tokens": reply.output_tokens,
            "total_tokens": reply.input_tokens + reply.output_tokens,
        },
    }  # fmt: skip
