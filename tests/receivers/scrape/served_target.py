"""A real HTTP target whose answer the test decides, and a way to run a supervisor against it."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from swarmscope.receivers.scrape import ScrapeSupervisor, load_scrape_config
from tests.receivers.scrape.fakes import RecordingSink, WallClock

TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Target:
    """Serves `body` with `headers`; `requests` are the headers of those who asked."""

    def __init__(self, body=b"up_time 1\n", content_type=TEXT):
        self.body, self.content_type = body, content_type
        self.status, self.headers, self.delay_s = 200, {}, 0.0
        self.requests: list[tuple[str, dict]] = []

    def handler(self):
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                owner.requests.append((self.path, dict(self.headers)))
                time.sleep(owner.delay_s)
                body, headers, status = owner.body, owner.headers, owner.status
                if callable(body):
                    status, headers, body = body(self.path, dict(self.headers))
                self.send_response(status)
                if owner.content_type is not None:
                    self.send_header("Content-Type", owner.content_type)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                try:
                    self.wfile.write(body)
                except OSError:
                    return

            def log_message(self, *_):
                return

        return Handler


@contextmanager
def serving(target, ssl_context=None):
    """The address of `target`, served on a free port."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), target.handler())
    server.daemon_threads = True
    if ssl_context is not None:
        server.socket = ssl_context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def job_for(address, **settings):
    """A configuration with one job."""
    job = {"job_name": "j", "scrape_interval": "250ms", "static_configs": [{"targets": [address]}], **settings}
    if job.get("static_configs") is None:
        del job["static_configs"]
    return {"scrape_configs": [job]}


@asynccontextmanager
async def scraping(config, sink=None, clock=None, room=None):
    """A running supervisor and its sink."""
    sink = sink or RecordingSink()
    with ThreadPoolExecutor(2) as workers:
        supervisor = ScrapeSupervisor(load_scrape_config(config), sink, sink.index, clock or WallClock(), workers, room)
        await supervisor.start()
        try:
            yield supervisor, sink
        finally:
            await supervisor.stop()


async def until(condition, timeout_s=60.0):
    """Wait for `condition()` to be true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        await asyncio.sleep(0.02)
