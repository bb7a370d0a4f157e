"""What Grafana does for its clients with a Loki data source: says that there is one, and passes requests on to it.

Source of the paths: https://grafana.com/docs/grafana/latest/developers/http_api/data_source/
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

UID = "swarmscope-logs"
_PROXY = f"/api/datasources/proxy/uid/{UID}"


class _Handler(BaseHTTPRequestHandler):
    target = ""
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path.startswith(_PROXY):
            answer = httpx.get(f"{self.target}{self.path.removeprefix(_PROXY)}", timeout=60)
            self._send(answer.status_code, answer.headers.get("content-type", ""), answer.content)
        elif self.path == f"/api/datasources/uid/{UID}":
            source = {"id": 1, "uid": UID, "name": "Logs", "type": "loki", "access": "proxy", "url": self.target}
            self._send(200, "application/json", json.dumps(source).encode())
        else:
            self._send(404, "application/json", b'{"message":"not found"}')

    def _send(self, status: int, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Nothing."""


@contextlib.contextmanager
def grafana(target: str) -> Iterator[tuple[str, list[str]]]:
    """A Grafana whose one data source is the Loki at `target`; its address, and the paths that were asked for."""
    asked: list[str] = []
    handler = type("Handler", (_Handler,), {"target": target, "asked": asked})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
