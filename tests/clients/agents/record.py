"""Records what frameworks send for tests that run none: python -m tests.clients.agents.record [NAME …]."""

from __future__ import annotations

import gzip
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.clients.agents.runs import FRAMEWORKS, RECORDED, run_framework

CONVERSATION = "octopuses-1"


def bodies_of(name: str) -> bytes:
    """Its export requests as one: messages of protobuf add up."""
    received: list[bytes] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            received.append(gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server, tempfile.TemporaryDirectory() as home:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            run_framework(name, f"http://127.0.0.1:{server.server_port}/v1/traces", CONVERSATION, Path(home))
        finally:
            server.shutdown()
            thread.join()
    return b"".join(received)


def main() -> None:
    for name in sys.argv[1:] or FRAMEWORKS:
        path = RECORDED / f"{name}.otlp.gz"
        path.write_bytes(gzip.compress(bodies_of(name), mtime=0))
        print(path.name, path.stat().st_size)


if __name__ == "__main__":
    main()
