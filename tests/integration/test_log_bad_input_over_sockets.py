"""Bad bodies and bad questions of logs at a real process, beside a good sender who must not notice."""

from __future__ import annotations

import http.client
import random
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from urllib.parse import quote, urlencode

import grpc
import httpx
import pytest

from tests.integration import damaged_bodies as damage
from tests.integration import damaged_log_bodies as damaged
from tests.integration.acknowledged_lines import EXPORT, check, make_plans
from tests.integration.acknowledged_load import Ledger, Load
from tests.integration.log_reading import loki_api, read_lines, wait_until
from tests.integration.processes import SwarmscopeServer
from tests.integration.test_bad_input_over_sockets import Sender, process_of, run_threads
from tests.portion import portion

pytestmark = pytest.mark.slow

SEED = 4_100
ROUNDS = 2
# In each round.
N_PUSHES, N_EXPORTS, N_CALLS, N_QUERIES = (portion(whole, whole // 3) for whole in (400, 300, 150, 150))
MAX_RSS = 3 << 29
SETTINGS = {
    "STORAGE__FLUSH_AFTER": "300ms",
    "LIMITS__MAX_BODY_BYTES": "2MiB",
    "LIMITS__MAX_BODY_BYTES_DECOMPRESSED": "8MiB",
    "LIMITS__QUERY_TIMEOUT": "20s",
    "QUERY__MAX_LOG_SERIES": "100000",
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmscopeServer]:
    made = SwarmscopeServer(tmp_path_factory.mktemp("bad-logs"), SETTINGS)
    made.start()
    yield made
    if made.process is not None:
        made.stop_cleanly()


def push_badly(server: SwarmscopeServer, number: int, seen: Counter[int]) -> None:
    sender, chance = Sender(server.port), random.Random(f"{SEED} push {number}")
    for turn in range(N_PUSHES):
        make, content_type = ((damaged.loki, "application/x-protobuf"), (damaged.loki_json, "application/json"))[
            turn % 2
        ]
        body = chance.choice(damage.DAMAGES)(make(chance) or b"x", chance)
        wire = damage.packed(body, "snappy") if turn % 2 == 0 else body
        status, text = sender.send("POST", "/loki/api/v1/push", {"content-type": content_type}, wire)
        assert status in {204, 400, 413, 415, 422}, (status, text, body)
        assert status == 204 or len(text) > 10
        seen[status] += 1


def export_badly(server: SwarmscopeServer, number: int, seen: Counter[int]) -> None:
    sender, chance = Sender(server.otlp_http_port), random.Random(f"{SEED} export {number}")
    for turn in range(N_EXPORTS):
        make, content_type = ((damaged.otlp, "application/x-protobuf"), (damaged.otlp_json, "application/json"))[
            turn % 2
        ]
        body = chance.choice(damage.DAMAGES)(make(chance) or b"x", chance)
        status, text = sender.send("POST", "/v1/logs", {"content-type": content_type}, body)
        assert status in {200, 400, 413, 415}, (status, text, body)
        seen[status] += 1


def call_badly(server: SwarmscopeServer, number: int, seen: Counter[str]) -> None:
    chance = random.Random(f"{SEED} call {number}")
    bodies = [chance.choice(damage.DAMAGES)(damaged.otlp(chance) or b"x", chance) for _ in range(N_CALLS)]
    bodies += [bytes(9 << 20), damaged.deep_body(5000), b""]
    with grpc.insecure_channel(f"127.0.0.1:{server.otlp_grpc_port}") as channel:
        export = channel.unary_unary(EXPORT)
        for body in bodies:
            packing = chance.choice((grpc.Compression.NoCompression, grpc.Compression.Gzip))
            try:
                export(body, timeout=60, compression=packing)
                seen["OK"] += 1
            except grpc.RpcError as error:
                seen[error.code().name] += 1
    assert set(seen) <= {"OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}, seen


PARAMETERS: dict[str, tuple[str, ...]] = {
    "query": ("", "{}", '{app="a"}', '{app=~".*"}', '{app=~"("}', '{app="a"', '{app="a"} |= `x`', '{app="a"} |~ "("',
              '{app="a"} | json | line_format "{{.a', '{app="a"} | line_format "{{range}}"', "rate({app=\"a\"}[5m])",
              'rate({app=~".+"}[9999d])', 'sum by (a) (count_over_time({app=~".+"} | logfmt [1m]))', "(" * 3000,
              "1 / 0", "vector(1)+vector(1)", '{app="a"} | pattern "<a><b>"', '{app="a"} |> "<_>"', "a" * 50_000,
              '{app="a"} | unwrap x', 'avg_over_time({app="a"} | unwrap x [1m])', "a\x00b", '{app="\\xff"}',
              '{app="a"} | json x="a[0].b" | x > 3 | ip("1")', 'topk(-1, rate({app="a"}[1m]))'),
    "time": ("", "0", "1e308", "NaN", "9223372036854775807", "-9223372036854775808", "now", "2026-13-45T00:00:00Z"),
    "start": ("1700000000", "-1e300", "NaN", "x", "1"), "end": ("1700000600", "1e300", "-1", ""),
    "step": ("15", "0", "-1", "1e-300", "NaN", "9999y", "1ns", ""), "limit": ("1", "0", "-1", "x", "9" * 20),
    "direction": ("forward", "sideways", ""), "interval": ("1s", "-1s", "x"), "since": ("1h", "-1h", "9999y"),
    "match[]": ('{app="a"}', "{", "{}", ""), "targetLabels": ("app", "", "é"), "aggregateBy": ("labels", "x"),
}  # fmt: skip
PATHS = (
    "query", "query_range", "series", "labels", "label/app/values", "label/\xff\xfe/values", "index/stats",
    "index/volume", "index/volume_range", "detected_labels", "detected_fields", "detected_field/a/values", "patterns",
    "format_query", "drilldown-limits", "status/buildinfo", "nothing", "delete",
)  # fmt: skip


def ask_badly(server: SwarmscopeServer, number: int, seen: Counter[int]) -> None:
    sender, chance = Sender(server.port), random.Random(f"{SEED} query {number}")
    for _ in range(N_QUERIES):
        chosen = {name: chance.choice(values) for name, values in PARAMETERS.items() if chance.random() < 0.6}
        path = f"/loki/api/v1/{quote(chance.choice(PATHS), safe='/')}"
        form = urlencode(chosen)
        if chance.random() < 0.5 and len(form) < 40_000:
            status, text = sender.send("GET", f"{path}?{form}", {}, b"")
        else:
            headers = {"content-type": "application/x-www-form-urlencoded"}
            status, text = sender.send("POST", path, headers, form.encode())
        assert status in {200, 204, 400, 403, 404, 405, 413, 422, 429, 504}, (status, path, chosen, text[:500])
        assert status < 400 or text, (path, chosen)
        seen[status] += 1


def test_bad_bodies_beside_a_good_sender(server: SwarmscopeServer) -> None:
    process = process_of(server)
    plans = [plan for plan in make_plans(SEED) if plan.protocol in ("push", "otlp_grpc")]
    ledger = Ledger()
    load = Load(server, plans, ledger)
    pushes, exports, queries, calls = Counter[int](), Counter[int](), Counter[int](), Counter[str]()
    memory = []
    try:
        for number in range(ROUNDS):
            run_threads(
                partial(push_badly, server, number, pushes), partial(export_badly, server, number, exports),
                partial(call_badly, server, number, calls), partial(ask_badly, server, number, queries),
            )  # fmt: skip
            memory.append(process.memory_info().rss)
        ledger.wait_for(50)  # they go on being served
    finally:
        load.stop()
    assert max(memory) < MAX_RSS
    for counts in (pushes, exports, queries):
        assert len(counts) > 1, counts
    assert pushes[204]
    assert pushes[400]
    check(server, ledger, set())


def test_bodies_over_the_bounds(server: SwarmscopeServer) -> None:
    now_ns = time.time_ns()
    headers = {"content-type": "application/x-protobuf"}
    for body in damaged.large_pushes(now_ns):
        answer = httpx.post(
            f"{loki_api(server)}/push", content=damage.packed(body, "snappy"), headers=headers, timeout=60
        )
        assert answer.status_code == 400, answer.text[:300]
        assert "limits.logs." in answer.text
        assert len(answer.text) < 5000
    # The line beside each bad one is there; it was sent seven times, and is the same line.
    assert [line.line for line in read_lines(server, '{app="good"}')] == ["beside"]
    for depth in (100, 10_000):
        for body, path in ((damaged.deep_body(depth), "/v1/logs"), (damaged.deep_map(depth), "/v1/logs")):
            answer = httpx.post(f"{server.address}{path}", content=body, headers=headers, timeout=60)
            assert answer.status_code in (200, 400), answer.text


def test_nothing_is_left_behind(server: SwarmscopeServer) -> None:
    """Runs last: threads, memory and log after all of the above, and the lines after a restart."""
    process = process_of(server)
    n_threads = process.num_threads()
    for _ in range(50):
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.putrequest("POST", "/loki/api/v1/push")
        connection.putheader("content-length", "100")
        connection.endheaders(b"short")
        connection.close()
    # The store's own come and go.
    wait_until(lambda: process.num_threads() <= n_threads + 50, "threads that end")
    assert process.memory_info().rss < MAX_RSS
    lines = (server.folder / "log").read_text(errors="replace").splitlines()
    bad = [line for line in lines if "Traceback" in line or " ERROR " in line]
    assert not bad, bad[:10]
    server.restart()
    assert [line.line for line in read_lines(server, '{app="good"}')] == ["beside"]
