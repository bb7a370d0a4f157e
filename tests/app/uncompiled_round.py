"""One round of writing and querying after the warm-up, over the real store, engine and receivers.

Prints each kernel that had to be compiled, or loaded, for it; nothing when the warm-up had met every layout. A process
of its own (arguments: data folder, address to scrape), so that no other test has compiled anything before.
"""

import asyncio
import gc
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cramjam
from numba.core.dispatcher import Dispatcher
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from starlette.routing import BaseRoute
from starlette.testclient import TestClient

from swarmscope.api.loki.routes import loki_routes
from swarmscope.app.clock import SystemClock
from swarmscope.app.settings import Settings
from swarmscope.app.stages.reading import main_app, make_api_parts, make_loki_parts
from swarmscope.app.stages.receiving import (
    make_decode_room,
    make_loki_push,
    make_otlp,
    make_otlp_http,
    make_otlp_logs,
    make_remote_write,
    make_scraper,
    scraping,
)
from swarmscope.app.stages.redaction import open_redactor
from swarmscope.app.stages.storage import open_store
from swarmscope.app.stages.writing import LogWritePath, WritePath
from swarmscope.app.target_pages import TargetPages
from swarmscope.app.warming import warm_up
from swarmscope.app.workers import WorkerPool
from swarmscope.receivers.loki.schema import push_request_class
from swarmscope.receivers.remote_write.schema import V1, V2, message_class
from swarmscope.receivers.scrape import load_scrape_config
from swarmscope.store.embedded.store import EmbeddedStore

QUERIES = (
    "m", "rate(m[1m])", "sum by (a) (rate(m[1m]))", "max_over_time(m[1m])", "avg(m) / on (a) group_left count(m)",
    "topk(1, m)", "quantile(0.5, m)", "histogram_quantile(0.9, rate(h[1m]))", "h", "sum(rate(h[1m]))", "m > 1 or h",
    'm{a=~"x.*"}', "absent(m)", "sort_desc(m)", "max_over_time(rate(m[1m])[2m:15s])",
    'label_replace(m, "b", "$1", "a", "(.*)")',
    "stddev(m)", "avg_over_time(h[1m])", "deriv(m[1m])", "count_values('v', m)", "histogram_quantile(0.5, c_bucket)",
)  # fmt: skip


LOG_QUERIES = (
    '{app=~".+"}', '{service_name=~".+"} |= "broke"', '{app=~".+"} !~ "b[a-z]oke" | user="u1"',
    '{app=~".+"} | json', '{app=~".+"} | json took="took_ms" | took > 1', '{app=~".+"} | logfmt | took > 1s',
    '{app=~".+"} | logfmt --strict', '{app=~".+"} | pattern "<word>: <rest>"',
    '{app=~".+"} | regexp "(?P<word>[A-Z]+)"',
    '{app=~".+"} | line_format "{{.app}} {{.user}}"', '{app=~".+"} | logfmt | label_format a=msg, b="{{.took}}"',
    '{app=~".+"} | json | keep msg', '{app=~".+"} | json | drop msg', '{app=~".+"} | decolorize',
    '{app=~".+"} |> "<_>broke<_>"', '{app=~".+"} | user = ip("10.0.0.0/8")',
)  # fmt: skip
LOG_METRICS = (
    'count_over_time({app=~".+"}[1m])', 'sum by (detected_level) (rate({app=~".+"}[1m]))',
    'sum(bytes_over_time({app=~".+"} |= "broke" [1m]))', 'absent_over_time({app="none"}[1m])',
    'sum by (user) (count_over_time({app=~".+"} | json | __error__="" [1m]))',
    'topk(1, sum by (app) (rate({app=~".+"}[1m])))',
    'quantile_over_time(0.9, {app=~".+"} | logfmt | unwrap duration(took) | __error__="" [1m]) by (app)',
    *(f'{call}({{app=~".+"}} | json | unwrap took_ms | __error__="" [1m])' for call in
      ("sum_over_time", "avg_over_time", "max_over_time", "first_over_time", "stddev_over_time", "rate_counter")),
)  # fmt: skip


def compiled() -> Iterator[tuple[str, str]]:
    for found in gc.get_objects():
        if isinstance(found, Dispatcher) and found.py_func.__module__.startswith("swarmscope."):
            for signature in found.nopython_signatures:
                yield f"{found.py_func.__module__}.{found.py_func.__qualname__}", str(signature)


def remote_write_body(proto: str, now_ms: int) -> bytes:
    symbols = ["", "__name__", "m", "h", "a", "x1", "x2", "trace_id", "t"]
    request = message_class(proto)(**({"symbols": symbols} if proto == V2 else {}))

    def add(*texts: str):
        if proto == V2:
            return request.timeseries.add(labels_refs=[symbols.index(text) for text in texts])
        series = request.timeseries.add()
        for name, value in zip(texts[::2], texts[1::2], strict=True):
            series.labels.add(name=name, value=value)
        return series

    for place in ("x1", "x2"):
        series = add("__name__", "m", "a", place)
        for n in range(20):
            series.samples.add(timestamp=now_ms - 15_000 * n, value=100 - n)
        histograms = add("__name__", "h", "a", place).histograms
        for n in range(3):
            histogram = histograms.add(
                timestamp=now_ms - 15_000 * n, count_int=3, sum=2.5, schema=0, zero_threshold=0.001, positive_deltas=[3]
            )
            histogram.positive_spans.add(offset=0, length=1)
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def otlp_body(now_ms: int) -> bytes:
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    point = metrics.add(name="o").gauge.data_points.add(time_unix_nano=now_ms * 10**6, as_double=1.5)
    point.exemplars.add(time_unix_nano=now_ms * 10**6, as_double=1.0, trace_id=b"x" * 16)
    total = metrics.add(name="d").sum
    total.aggregation_temporality = 1
    total.data_points.add(start_time_unix_nano=now_ms * 10**6 - 10**9, time_unix_nano=now_ms * 10**6, as_int=2)
    return request.SerializeToString()


# Of several shapes: JSON and logfmt, with a secret, a level in a field, in a word and nowhere.
LINES = (
    '{"level":"warn","msg":"slow \\u00e9","took_ms":12.5,"password":"hunter2hunter2"}',
    "level=error msg=\"it broke\" took=3s token=abcdefghijklmnop",
    "ERROR: it broke é", "nothing to see",
)  # fmt: skip


def otlp_log_body(now_ns: int) -> bytes:
    request: Any = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    group.resource.attributes.add(key="host.name").value.string_value = "h1"
    records = group.scope_logs.add().log_records
    for n, line in enumerate(LINES):
        record = records.add(time_unix_nano=now_ns - n, observed_time_unix_nano=now_ns, trace_id=b"t" * 16)
        record.body.string_value = line
        record.attributes.add(key="place").value.string_value = f"x{n}"
        record.attributes.add(key="count").value.int_value = n
    records.add(severity_number=17, time_unix_nano=now_ns).body.kvlist_value.values.add(key="k").value.int_value = 1
    return request.SerializeToString()


def push_body(now_ns: int) -> bytes:
    request: Any = push_request_class()()
    entries = request.streams.add(labels='{app="cart", place="é"}').entries
    for n, line in enumerate(LINES):
        entry = entries.add(line=line)
        entry.timestamp.seconds, entry.timestamp.nanos = divmod(now_ns - n, 10**9)
        entry.structuredMetadata.add(name="trace_id", value="0123456789abcdef" * 2)
        entry.structuredMetadata.add(name="user", value=f"u{n}")
    return bytes(cramjam.snappy.compress_raw(request.SerializeToString()))


def push_json(now_ns: int) -> dict[str, Any]:
    values = [[str(now_ns - n), line, {"user": f"ü{n}"}] for n, line in enumerate(LINES)]
    return {"streams": [{"stream": {"app": "till"}, "values": values}]}


def write_logs(client: TestClient) -> None:
    now_ns, protobuf = time.time_ns(), {"content-type": "application/x-protobuf"}
    answers = [
        client.post("/v1/logs", content=otlp_log_body(now_ns), headers=protobuf),
        client.post("/loki/api/v1/push", content=push_body(now_ns), headers=protobuf),
        client.post("/loki/api/v1/push", json=push_json(now_ns)),
    ]
    for answer in answers:
        assert answer.is_success, answer.text


def write(client: TestClient) -> None:
    now_ms = time.time_ns() // 10**6
    for proto, version in ((V1, "0.1.0"), (V2, "2.0.0")):
        headers = {
            "content-encoding": "snappy", "content-type": f"application/x-protobuf;proto={proto}",
            "x-prometheus-remote-write-version": version,
        }  # fmt: skip
        body = remote_write_body(proto, now_ms)
        answer = client.post("/prometheus/api/v1/write", content=body, headers=headers)
        assert answer.is_success, answer.text
    answer = client.post("/v1/metrics", content=otlp_body(now_ms), headers={"content-type": "application/x-protobuf"})
    assert answer.is_success, answer.text


def read(client: TestClient) -> None:
    now_s = time.time()
    for query in QUERIES:
        instant = client.get("/prometheus/api/v1/query", params={"query": query, "time": now_s})
        asked = {"query": query, "start": now_s - 300, "end": now_s, "step": 15}
        ranged = client.get("/prometheus/api/v1/query_range", params=asked)
        assert instant.is_success, (query, instant.text)
        assert ranged.is_success, (query, ranged.text)
    found = client.get("/prometheus/api/v1/query", params={"query": "count(m) + count(h) + count(s_total)"})
    assert found.json()["data"]["result"][0]["value"][1] == "5", found.text
    for path in ("series?match[]=m", "labels", "label/a/values", "metadata", "query_exemplars?query=o&start=0&end=9e9"):
        assert client.get(f"/prometheus/api/v1/{path}").is_success, path


def read_logs(client: TestClient) -> None:
    now_ns = time.time_ns()
    asked = {"start": now_ns - 300 * 10**9, "end": now_ns + 10**9, "step": 15}
    for query in (*LOG_QUERIES, *LOG_METRICS):
        for direction in ("backward", "forward"):
            ranged = client.get("/loki/api/v1/query_range", params={"query": query, "direction": direction, **asked})
            assert ranged.is_success, (query, ranged.text)
    for query in LOG_METRICS:
        instant = client.get("/loki/api/v1/query", params={"query": query, "time": now_ns})
        assert instant.is_success, (query, instant.text)
    for path in ("labels", "label/app/values", "series", "index/stats", "index/volume", "index/volume_range",
                 "detected_labels", "detected_fields"):  # fmt: skip
        answer = client.get(f"/loki/api/v1/{path}", params={"query": '{app=~".+"}', "match[]": '{app=~".+"}', **asked})
        assert answer.is_success, (path, answer.text)
    found = client.get("/loki/api/v1/query_range", params={"query": LOG_QUERIES[0], **asked}).json()["data"]["result"]
    assert len(found) > 1, found


async def scrape_once(settings: Settings, path: WritePath, store, workers: WorkerPool, address: str) -> None:
    job = {"job_name": "j", "scrape_interval": "250ms", "static_configs": [{"targets": [address]}]}
    scraper = make_scraper(
        load_scrape_config({"scrape_configs": [job]}),
        path,
        store.index,
        SystemClock(),
        workers,
        make_decode_room(settings),
    )
    async with scraping(scraper):
        while not any(target.health == "up" for target in scraper.targets().active):
            await asyncio.sleep(0.05)


def open_routes(settings: Settings, path: WritePath, store: EmbeddedStore, workers: WorkerPool) -> list[BaseRoute]:
    room, clock = make_decode_room(settings), SystemClock()
    log_path = LogWritePath(settings, store.log_sink, store.logs.catalogue, open_redactor(settings), clock)
    signals = (
        make_otlp(settings, path, store.index, clock, room),
        make_otlp_logs(settings, log_path, store.log_index, clock, room),
    )
    return [
        *make_remote_write(settings, path, store.index, workers, room),
        *make_loki_push(settings, log_path, store.log_index, workers, room),
        *make_otlp_http(signals, workers),
    ]


def main(data: str, address: str) -> None:
    settings = Settings(data=Path(data))
    warm_up(lambda part: None)
    before = set(compiled())
    store = open_store(settings, SystemClock())
    workers = WorkerPool("test", 4)
    path = WritePath(settings, store.sink, store.catalogue, store.reader.metadata)
    routes = open_routes(settings, path, store, workers)
    parts = make_api_parts(settings, store, SystemClock(), workers, TargetPages(lambda: None, []))
    routes += loki_routes(make_loki_parts(settings, store, parts))
    with TestClient(main_app(parts, routes, lambda app: app)) as client:
        asyncio.run(scrape_once(settings, path, store, workers, address))
        for where in ("memory", "cache", "parts"):
            write(client)
            write_logs(client)
            read(client)
            read_logs(client)
            assert store.flush()
            if where == "cache":
                store.forget_cache()
            read(client)
            read_logs(client)
    workers.close()
    store.close()
    for name, signature in sorted(set(compiled()) - before):
        print(name, signature)


if __name__ == "__main__":
    main(*sys.argv[1:])
