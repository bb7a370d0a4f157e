"""A push endpoint that keeps what it is sent, as a store does: the same line of the same time is kept once."""

from __future__ import annotations

import http.server
import threading
import time
from collections import deque

import cramjam

from swarmscope.receivers.loki.schema import push_request_class


class PushPeer:
    """Listens on a free port, or on `port`."""

    def __init__(self, port: int = 0) -> None:
        self.kept: dict[tuple[str, int, str], dict[str, str]] = {}
        self.answers: deque[tuple[int, str]] = deque()  # what is answered instead of taking the lines
        self.headers: list[dict[str, str]] = []
        self.sizes: list[int] = []
        self.begun = 0
        self.pause_s = 0.0
        self.max_lines = 1 << 40
        lock = threading.Lock()
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                request = push_request_class()()
                request.ParseFromString(bytes(cramjam.snappy.decompress_raw(body)))
                peer.begun += 1
                time.sleep(peer.pause_s)
                with lock:
                    peer.headers.append({name.lower(): value for name, value in self.headers.items()})
                    entries = [(stream.labels, entry) for stream in request.streams for entry in stream.entries]
                    status, text = peer.answers.popleft() if peer.answers else (204, "")
                    if status == 204 and len(entries) > peer.max_lines:
                        status, text = 413, "too large"
                    if status == 204:
                        peer.sizes.append(len(entries))
                        for labels, entry in entries:
                            stamp = entry.timestamp.seconds * 10**9 + entry.timestamp.nanos
                            pairs = {pair.name: pair.value for pair in entry.structuredMetadata}
                            peer.kept[labels, stamp, entry.line] = pairs
                self.send_response(status)
                if status == 429:
                    self.send_header("retry-after", "0")
                if status != 204:
                    self.send_header("content-length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        class Server(http.server.ThreadingHTTPServer):
            allow_reuse_address = True
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                pass

        self._server = Server(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def lines(self, labels: str = "") -> list[str]:
        """All lines in the order of time, of the streams whose labels hold a text."""
        return [line for stream, _, line in sorted(self.kept, key=lambda key: key[1]) if labels in stream]

    def wait_for(self, count: int, limit_s: float = 20.0) -> float:
        """Wait for so many lines; how long it took. Fails after `limit_s`."""
        began_s = time.monotonic()
        while len(self.kept) < count:
            assert time.monotonic() - began_s < limit_s, f"{len(self.kept)} of {count} lines came"
            time.sleep(0.01)
        return time.monotonic() - began_s

    def wait_for_request(self, limit_s: float = 60.0) -> None:
        """Wait until a request has come, answered or not. Fails after `limit_s`."""
        ends_s = time.monotonic() + limit_s
        while not self.begun:
            assert time.monotonic() < ends_s, "no request came"
            time.sleep(0.01)

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
