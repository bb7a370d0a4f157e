"""Everything but queries, side by side with Debian's Prometheus: series, labels, exemplars, federation, remote read."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from swarmscope.receivers.remote_write.schema import V1, message_class
from tests.integration.comparison import KeptAlive, difference
from tests.integration.generated_queries import generated_questions
from tests.integration.peer_data import END_S, STALE, START_S, TENANT, LabelledSamples, peer_series
from tests.integration.processes import PrometheusServer, SwarmscopeServer, remote_write, write_request

pytestmark = [pytest.mark.peer, pytest.mark.slow]

HEADERS = {"x-scope-orgid": TENANT}
# Prometheus has no tenants: what other tests wrote is left out by name.
NAMES = "|".join(sorted({labels["__name__"] for labels, _ in peer_series()}))
OURS = ("match[]", f'{{__name__=~"{NAMES}"}}')
WHOLE = (("start", str(START_S - 60)), ("end", str(END_S + 60)))
REMOTE_READ_SEED, N_REMOTE_READ = 5, 300


class Sides:
    """The same request to both."""

    def __init__(self, ours: SwarmscopeServer, theirs: PrometheusServer) -> None:
        self.servers = (ours, theirs)
        self._connections = [KeptAlive(server, HEADERS) for server in self.servers]

    def both(self, path: str, *parameters: tuple[str, str]) -> tuple[tuple[int, bytes], tuple[int, bytes]]:
        ours, theirs = (connection.get(path, *parameters) for connection in self._connections)
        return ours, theirs

    def data(self, path: str, *parameters: tuple[str, str]) -> tuple[Any, Any]:
        """`data` of both answers, which have to be successes."""
        answers = self.both(f"/api/v1/{path}", *parameters)
        assert [status for status, _ in answers] == [200, 200], answers
        ours, theirs = (orjson.loads(body)["data"] for _, body in answers)
        return ours, theirs


@pytest.fixture(scope="module")
def sides(loaded_servers: tuple[SwarmscopeServer, PrometheusServer]) -> Sides:
    return Sides(*loaded_servers)


def _sorted(rows: list[dict[str, str]]) -> list[list[tuple[str, str]]]:
    return sorted(sorted(row.items()) for row in rows)


SELECTORS = (
    "queue_length", 'queue_length{queue=~".*x|Ω"}', '{__name__=~"gappy|dup_."}', '{__name__="odd",kind!="nan"}',
    "nothing",
    'http_requests_total{code=~"4..",instance!~"0|1"}', 'temperature{room=""}', 'temperature{none=""}',
    '{queue!="",__name__="queue_length"}', 'latency_bucket{le="+Inf"}',
)  # fmt: skip


@pytest.mark.parametrize("selector", SELECTORS)
def test_series(sides: Sides, selector: str) -> None:
    ours, theirs = sides.data("series", ("match[]", selector), *WHOLE)
    assert _sorted(ours) == _sorted(theirs)


def test_series_of_several_selectors(sides: Sides) -> None:
    ours, theirs = sides.data("series", *(("match[]", text) for text in SELECTORS), *WHOLE)
    assert _sorted(ours) == _sorted(theirs)
    assert len(ours) == 27


@pytest.mark.parametrize("window", [(-7200, -3600), (7200, 9000), (-100, 20000)])
def test_series_in_time(sides: Sides, window: tuple[int, int]) -> None:
    start, end = (str(START_S + offset_s) for offset_s in window)
    ours, theirs = sides.data("series", OURS, ("start", start), ("end", end))
    assert _sorted(ours) == _sorted(theirs)


@pytest.mark.parametrize("selectors", [(), ("gappy",), ("gappy", 'odd{kind="inf"}'), ("nothing",)])
def test_labels_and_values(sides: Sides, selectors: tuple[str, ...]) -> None:
    chosen = [("match[]", text) for text in selectors] or [OURS]
    ours, theirs = sides.data("labels", *chosen, *WHOLE)
    assert ours == theirs
    for name in ("__name__", "job", "queue", "le", "i", "nothing"):
        ours, theirs = sides.data(f"label/{name}/values", *chosen, *WHOLE)
        assert ours == theirs, name


@pytest.mark.parametrize(
    "path",
    ["/api/v1/series", "/api/v1/series?match[]={}", "/api/v1/series?match[]=a{", "/api/v1/labels?match[]=sum(a)",
     "/api/v1/label/a-b!/values?match[]=b{", "/api/v1/query_exemplars?query=a&start=3&end=x", "/federate",
     "/api/v1/query_range?query=1", "/api/v1/query?query=1&time=never", "/api/v1/nothing"],
)  # fmt: skip
def test_refusals(sides: Sides, path: str) -> None:
    answers = [httpx.get(f"{server.prometheus_api}{path}", headers=HEADERS) for server in sides.servers]
    ours, theirs = ((answer.status_code, _error_type(answer)) for answer in answers)
    assert ours == theirs


def _error_type(answer: httpx.Response) -> str:
    is_json = answer.headers["content-type"].startswith("application/json")
    return answer.json().get("errorType", "") if is_json else ""


@pytest.mark.parametrize(
    "text",
    ["sum(a)", "sum by(b,c)(rate(a{x='1',y=~\"2\"}[5m] offset 1h))", "a+b*c",
     "a * on(x) group_left(y) b", "-a^2", "(a)", "topk(3,a)", "a[5m:1m]", "max_over_time(a[1h:5m]@start() offset -5m)",
     "histogram_quantile(0.9,sum(rate(b[5m]))by(le,job))", "a>bool 1", "1e3", "'it\\'s'", "a unless ignoring(z) b or c",
     "label_replace(a,'x','$1','y','(.*)')", "a{b='日本',c!~'\"'}", "a@1609746000.123", "a[1d2h]", "sum without()(a)"],
)  # fmt: skip
def test_format_query(sides: Sides, text: str) -> None:
    ours, theirs = sides.data("format_query", ("query", text))
    assert ours == theirs


def _exemplar_request() -> bytes:
    request = message_class(V1)()
    for job in ("api", "web"):
        entry = request.timeseries.add()
        for name, value in (("__name__", "with_exemplars_total"), ("job", job)):
            entry.labels.add(name=name, value=value)
        for k in range(5):
            ts_ms = (START_S + 60 * k) * 1000 + 7
            entry.samples.add(timestamp=ts_ms, value=float(k))
            exemplar = entry.exemplars.add(timestamp=ts_ms, value=k + 0.5)
            exemplar.labels.add(name="trace_id", value=f"é{job}{k}")
    return request.SerializeToString()


def test_exemplars(sides: Sides) -> None:
    body = _exemplar_request()
    for server in sides.servers:
        remote_write(server, body, TENANT)
    for query in (
        "with_exemplars_total",
        'rate(with_exemplars_total{job="web"}[5m]) + with_exemplars_total',
        "nothing",
    ):
        for start_s, end_s in ((0, 600), (60, 180), (1000, 2000)):
            window = (("start", str(START_S + start_s)), ("end", str(START_S + end_s)))
            ours, theirs = sides.data("query_exemplars", ("query", query), *window)
            assert _by_series(ours) == _by_series(theirs), (query, start_s)


def _by_series(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {str(sorted(row["seriesLabels"].items())): row["exemplars"] for row in rows}


VALUES = (
    1.0, -2.5, math.nan, math.inf, -math.inf, 1e21, 1e-9, 123456789.125, -0.0, 0.0, 999999.0, 1e6, 1234567.0, 0.0001,
    0.00001234, -3e-5, 0.1, 100.0, 123.456, 5e-324, 1.7976931348623157e308, 2.0**53,
)  # fmt: skip


def _recent_series(now_ms: int) -> list[LabelledSamples]:
    made: list[LabelledSamples] = []
    for k, value in enumerate(VALUES):
        samples = [(now_ms - 60_000, value - 1), (now_ms - 30_000 - k, value)]
        made.append(({"__name__": f"federated_{k % 3}", "job": 'é\n"\\', "k": str(k)}, samples))
    made.append(({"__name__": "federated_0", "job": "gone"}, [(now_ms - 60_000, 1.0), (now_ms - 30_000, STALE)]))
    made.append(({"__name__": "federated_0", "job": "old"}, [(now_ms - 400_000, 1.0)]))
    return made


def test_federation(swarmscope_server: SwarmscopeServer, tmp_path: Path) -> None:
    peer = PrometheusServer(tmp_path)
    peer.start()
    try:
        body = write_request(_recent_series(int(time.time() * 1000)))
        for server in (swarmscope_server, peer):
            remote_write(server, body, TENANT)
        for selectors in (('{__name__=~"federated_.*"}',), ("federated_1", 'federated_0{job!=""}'), ("nothing",)):
            asked = [("match[]", text) for text in selectors]
            ours, theirs = Sides(swarmscope_server, peer).both("/federate", *asked)
            assert ours[0] == theirs[0] == 200
            assert _families(ours[1]) == _families(theirs[1])
    finally:
        peer.stop()


def _families(body: bytes) -> list[str]:
    """The lines; the order inside a family is not defined, and `instance=""` is what Prometheus adds for scrapers."""
    families: list[str] = []
    for family in re.split(r"(?m)^(?=# TYPE)", body.decode()):
        families += [line.replace(',instance=""', "") for line in sorted(family.splitlines())]
    return families


@pytest.fixture(scope="module")
def reading_peer(
    sides: Sides, swarmscope_server: SwarmscopeServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PrometheusServer]:
    """An empty Prometheus that reads everything from Swarmscope; 2.42 sends no headers, so in the default tenant."""
    remote_write(swarmscope_server, write_request(peer_series()))
    config = f"remote_read:\n  - url: {swarmscope_server.prometheus_api}/api/v1/read\n    read_recent: true\n"
    server = PrometheusServer(tmp_path_factory.mktemp("reading"), config)
    server.start()
    yield server
    server.stop()


def test_a_prometheus_reads_from_us(sides: Sides, reading_peer: PrometheusServer) -> None:
    renamed = {"double_exponential_smoothing": "holt_winters"}
    questions = generated_questions(REMOTE_READ_SEED, N_REMOTE_READ)
    direct = KeptAlive(sides.servers[1], renamed=renamed).ask_all(questions)
    through = KeptAlive(reading_peer, renamed=renamed).ask_all(questions)
    wrong = []
    for question, mine, peers in zip(questions, through, direct, strict=True):
        found = difference(mine, peers, question)
        if found:
            wrong.append(f"{question.parameters()}: {found}")
    assert not wrong, f"{len(wrong)} of {len(questions)}:\n" + "\n".join(wrong[:20])


def test_metadata(sides: Sides) -> None:
    request = message_class(V1)()
    request.metadata.add(type=1, metric_family_name="told_total", help='What was told: é\\ "x"', unit="bytes")
    request.metadata.add(type=2, metric_family_name="told_depth", help="", unit="")
    remote_write(sides.servers[0], request.SerializeToString(), TENANT)
    # 2.42 keeps no metadata that is written to it: only the form can be compared, the content is what was sent.
    ours, theirs = sides.data("metadata")
    assert theirs == {}
    assert ours["told_total"] == [{"type": "counter", "help": 'What was told: é\\ "x"', "unit": "bytes"}]
    assert ours["told_depth"] == [{"type": "gauge", "help": "", "unit": ""}]
    one, _ = sides.data("metadata", ("metric", "told_depth"))
    assert list(one) == ["told_depth"]
    limited, _ = sides.data("metadata", ("limit", "1"))
    assert len(limited) == 1
