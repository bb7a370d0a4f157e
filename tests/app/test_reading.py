import asyncio
import time
from types import SimpleNamespace

from swarmscope.app.settings import Settings
from swarmscope.app.stages.reading import main_app, make_api_parts, prometheus_app
from swarmscope.app.workers import WorkerPool


class CountingReader:
    """Answers after a while, and knows how many asked at once."""

    def __init__(self):
        self.now = self.most = 0

    def label_names(self, tenant, matchers, start_ms, end_ms):
        self.now += 1
        self.most = max(self.most, self.now)
        time.sleep(0.1)
        self.now -= 1
        return []


async def ask(app, path):
    sent = []

    async def receive():
        if not getattr(receive, "done", False):
            receive.done = True
            return {"type": "http.request", "body": b"", "more_body": False}
        return await asyncio.Event().wait()

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"", "headers": [],
        "root_path": "", "scheme": "http", "http_version": "1.1", "server": ("x", 1), "client": ("y", 2),
    }  # fmt: skip
    await app(scope, receive, send)
    return sent[0]["status"]


def test_both_ports_have_one_limit_of_queries(tmp_path):
    reader, workers = CountingReader(), WorkerPool("test", 8)
    store = SimpleNamespace(reader=reader)
    settings = Settings(data=tmp_path, limits={"max_concurrent_queries": 1})
    parts = make_api_parts(settings, store, SimpleNamespace(now_ns=lambda: 0), workers, None)
    apps = (main_app(parts, [], lambda app: app), prometheus_app(parts, [], lambda app: app))

    async def both():
        paths = ("/prometheus/api/v1/labels", "/api/v1/labels")
        return await asyncio.gather(*(ask(app, path) for app, path in zip(apps * 2, paths * 2, strict=True)))

    assert asyncio.run(both()) == [200, 200, 200, 200]
    assert reader.most == 1
    workers.close()
