"""The tools of Grafana's MCP server, which ask a Grafana."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from tests.integration.test_log_senders import python_program


class McpGrafana:
    """mcp-grafana on its standard streams; a message of JSON-RPC is a line."""

    def __init__(self, address: str, uid: str, tools: str) -> None:
        """`uid`: the data source that tools ask; `tools`: which kinds of them are there."""
        self._uid = uid
        settings = {
            "GRAFANA_URL": address, "GRAFANA_SERVICE_ACCOUNT_TOKEN": "none", "GRAFANA_USAGE_STATS": "disabled",
            "DO_NOT_TRACK": "1",
        }  # fmt: skip
        command = [str(python_program("mcp-grafana")), "-t", "stdio", "--enabled-tools", tools]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            env={**os.environ, **settings}, text=True,
        )  # fmt: skip
        self._number = 0
        client = {"name": "tests", "version": "1"}
        self._ask("initialize", protocolVersion="2025-03-26", capabilities={}, clientInfo=client)
        self._send({"method": "notifications/initialized"})

    def _send(self, message: dict[str, Any]) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def _ask(self, method: str, **parameters: Any) -> Any:
        self._number += 1
        self._send({"id": self._number, "method": method, "params": parameters})
        assert self.process.stdout is not None
        for line in self.process.stdout:
            message = json.loads(line)
            if message.get("id") == self._number:
                return message["result"]
        raise AssertionError("mcp-grafana has ended")

    def call(self, tool: str, **arguments: Any) -> Any:
        """What a tool gives, read as JSON."""
        result = self._ask("tools/call", name=tool, arguments={"datasourceUid": self._uid, **arguments})
        text: str = result["content"][0]["text"]
        assert not result.get("isError"), text
        return json.loads(text)

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
