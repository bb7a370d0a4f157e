"""What Grafana does for its clients with a data source: says that there is one, and passes requests on to it.

Source of the paths: https://grafana.com/docs/grafana/latest/developers/http_api/data_source/
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import httpx


class DataSource(NamedTuple):
    """A data source of Grafana; `path` is where its URL leads behind the server's address."""

    uid: str
    name: str
    type: str
    path: str = ""


LOGS = DataSource("swarmscope-logs", "Logs", "loki")
TRACES = DataSource("swarmscope-traces", "Traces", "tempo", "/tempo")


class _Handler(BaseHTTPRequestHandler):
    target = ""
    source = LOGS
    asked: list[str]

    def _told(self) -> dict[str, object]:
        source = self.source
        url = f"{self.target}{source.path}"
        return {"id": 1, "uid": source.uid, "name": source.name, "type": source.type, "access": "proxy", "url": url}

    def _serve(self) -> None:
        self.asked.append(self.path)
        proxy = f"/api/datasources/proxy/uid/{self.source.uid}"
        if self.path.startswith(proxy):
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            url = f"{self.target}{self.source.path}{self.path.removeprefix(proxy)}"
            passed = {name: self.headers[name] for name in ("accept", "content-type") if name in self.headers}
            answer = httpx.request(self.command, url, content=body, headers=passed, timeout=60)
            self._send(answer.status_code, answer.headers.get("content-type", ""), answer.content)
        elif self.path == f"/api/datasources/uid/{self.source.uid}":
            self._send(200, "application/json", json.dumps(self._told()).encode())
        elif self.path == "/api/datasources":
            self._send(200, "application/json", json.dumps([self._told()]).encode())
        else:
            self._send(404, "application/json", b'{"message":"not found"}')

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def grafana(target: str, source: DataSource) -> Iterator[tuple[str, list[str]]]:
    """A Grafana whose one data source leads to `target`; its address, and the paths that were asked for."""
    asked: list[str] = []
    handler = type("Handler", (_Handler,), {"target": target, "source": source, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
