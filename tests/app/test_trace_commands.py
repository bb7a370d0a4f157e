import http.server
import json
import os
import subprocess
import sys
import threading
import urllib.parse

import pytest
from starlette.testclient import TestClient
from tests.api.tempo.served import MS, NOW_NS, ORDER, SHOP, SLOW, S, serve
from typer.testing import CliRunner

from swarmscope.app.cli import app
from swarmscope.app.client.trace_spans import read_spans
from swarmscope.app.client.trace_tree import spell_duration
from swarmscope.testing.plain_spans import NO_SPAN, PlainSpan, span_id, trace_id

RANGE = ("--start", "2023-11-14T22:12:20Z", "--end", "2023-11-14T22:13:20Z")


class _Peer:
    """Tempo's API over spans in memory, on a port of its own; `root`: at `/`, as Tempo itself has it."""

    def __init__(self, *, root: bool = False) -> None:
        served = serve(prefix="" if root else "/tempo")
        self.reader = served.reader
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        peer, client = self, TestClient(served.app)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                headers = {key.lower(): value for key, value in self.headers.items()}
                parts = urllib.parse.urlsplit(self.path)
                peer.asked.append((parts.path, dict(urllib.parse.parse_qsl(parts.query)), headers))
                answer = client.get(self.path, headers={"accept": headers["accept"]})
                self.send_response(answer.status_code)
                self.send_header("content-length", str(len(answer.content)))
                self.end_headers()
                self.wfile.write(answer.content)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def peer():
    peer = _Peer()
    yield peer
    peer.close()


def _run(peer, *arguments, columns=120):
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(app, [*arguments, "--url", peer.url])


def test_a_trace_is_a_tree(peer):
    done = _run(peer, "trace", ORDER.hex())
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == (f"trace {ORDER.hex()}  2023-11-14T22:13:00.000Z  300ms  4 spans, 2 services, 1 error")
    # 40 cells for 300 ms, 7.5 ms each: 10 to 210, 20 to 200, 30 to 31.
    assert lines[1:] == [
        "    300ms " + "━" * 40 + " shop order",
        "    200ms " + "·" + "━" * 27 + "·" * 12 + "   shop charge",
        "    180ms " + "··" + "━" * 25 + "·" * 13 + "     bank POST /charge  error: card refused",
        "   1.00ms " + "····" + "━" + "·" * 35 + "       bank audit",
    ]


def test_details(peer):
    shown = _run(peer, "trace", ORDER.hex(), "-v").stdout
    for text in ("id 0000000000000003, parent 0000000000000002, server", "http.method=POST", "items=3", "paid=true",
                 "resource.region=eu", "+1.00ms cached hit=false"):  # fmt: skip
        assert text in shown, text
    assert "resource.service.name" not in shown


def test_narrow_terminals_get_offsets_instead_of_bars(peer):
    lines = _run(peer, "trace", ORDER.hex(), columns=50).stdout.splitlines()
    assert lines[1] == "    300ms +0ns       shop order"
    assert lines[4] == "   1.00ms +30.0ms          bank audit"


@pytest.mark.parametrize("spelled", ["abc", "0000000000000abc", SLOW.hex().upper()])
def test_ids_may_be_short(peer, spelled):
    assert f"trace {SLOW.hex()}  " in _run(peer, "trace", spelled).stdout


@pytest.mark.parametrize(("spelled", "code", "words"), [
    ("abd", 1, f"no trace {'abd':0>32}"), ("xyz", 2, "up to 32 hexadecimal digits"), ("1" * 33, 2, "up to 32"),
])  # fmt: skip
def test_ids_that_lead_nowhere(peer, spelled, code, words):
    done = _run(peer, "trace", spelled)
    assert done.exit_code == code
    assert words in done.stderr


def _add(peer, *spans):
    peer.reader.add(spans)


def _span(number, parent=0, **fields):
    above = span_id(parent) if parent else NO_SPAN
    fields = {"start_ns": NOW_NS, "end_ns": NOW_NS + MS, "resource": SHOP, **fields}
    return PlainSpan(trace_id(8), span_id(number), f"s{number}", parent_id=above, **fields)


def test_oddities_are_marked(peer):
    _add(peer, _span(1, 99), _span(2, 3), _span(3, 2), _span(4, 1, start_ns=NOW_NS - MS))
    shown = _run(peer, "trace", "8").stdout
    assert "2 spans name a parent" not in shown
    assert "1 of its 4 spans name a parent that is not here" in shown
    assert "2 spans have no parent here" in shown
    marked = {line.split()[3]: line.partition("[")[2] for line in shown.splitlines() if "[" in line}
    assert marked == {"s1": "parent is missing]", "s2": "its own ancestor]", "s4": "clocks differ]"}


def test_texts_of_spans_do_not_drive_the_terminal(peer):
    _add(peer, PlainSpan(trace_id(8), span_id(1), "a\x1b[2Jb", NOW_NS, NOW_NS, resource=SHOP, attributes={"k": "\x07"}))
    shown = _run(peer, "trace", "8", "-v").stdout
    assert "\x1b" not in shown
    assert "\x07" not in shown
    assert "a�[2Jb" in shown


def test_a_chain_of_thousands_is_shown(peer):
    _add(peer, *(_span(k, k - 1) for k in range(1, 2001)))
    assert len(_run(peer, "trace", "8").stdout.splitlines()) == 2001


def test_a_trace_as_json(peer):
    found = json.loads(_run(peer, "trace", ORDER.hex(), "--json").stdout)
    assert (found["traceId"], found["status"]) == (ORDER.hex(), "COMPLETE")
    assert [(span["name"], span["depth"]) for span in found["spans"]] == [
        ("order", 0), ("charge", 1), ("POST /charge", 2), ("audit", 3),
    ]  # fmt: skip
    first = found["spans"][0]
    assert first["attributes"] == {"http.method": "POST", "items": 3, "paid": True, "ratio": 0.5}
    assert first["events"][0]["name"] == "cached"
    assert (first["durationNanos"], first["parentSpanId"], first["kind"]) == ("300000000", None, "server")
    assert found["spans"][2]["statusMessage"] == "card refused"


def test_traces_are_a_table(peer):
    done = _run(peer, "traces", "{ }", *RANGE)
    assert done.exit_code == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.strip() and "─" not in line]
    assert lines == [
        ["trace", "start", "root", "duration", "spans", "errors"],
        [SLOW.hex(), "2023-11-14T22:13:10.000Z", "shop", "list", "2.00s", "1"],
        [ORDER.hex(), "2023-11-14T22:13:00.000Z", "shop", "order", "300ms", "4", "1"],
    ]
    path, fields, headers = peer.asked[0]
    assert path == "/tempo/api/search"
    assert fields == {"q": "{ }", "limit": "20", "start": "1699999940", "end": "1700000000"}
    assert "authorization" not in headers


def test_traces_as_json_lines(peer):
    found = [json.loads(line) for line in _run(peer, "traces", "{ }", *RANGE, "--json").stdout.splitlines()]
    assert [trace["traceID"] for trace in found] == [SLOW.hex(), ORDER.hex()]
    assert len(_run(peer, "traces", "{ }", *RANGE, "--limit", "1", "--json").stdout.splitlines()) == 1


def test_no_traces(peer):
    done = _run(peer, "traces", "{ name = `nothing` }", *RANGE)
    assert (done.exit_code, done.stdout) == (0, "no traces\n")


def test_numbers(peer):
    done = _run(peer, "traces", "{ } | count_over_time() by (resource.service.name)", *RANGE)
    rows = [line.split() for line in done.stdout.splitlines() if "=" in line]
    assert rows == [['{"resource.service.name"="bank"}', "2"], ['{"resource.service.name"="shop"}', "3"]]
    # A function's name in a text is none.
    assert "no traces" in _run(peer, "traces", '{ name = "| rate()" }', *RANGE).stdout


def test_since_is_counted_from_now(peer):
    _run(peer, "traces", "{ }", "--since", "15m")
    fields = peer.asked[0][1]
    assert 15 * 60 <= int(fields["end"]) - int(fields["start"]) <= 15 * 60 + 1


def test_an_error_of_the_query_points_at_the_place(peer):
    done = _run(peer, "traces", "{ name = }", *RANGE)
    assert done.exit_code == 1
    first, query, mark = done.stderr.splitlines()
    assert first.startswith("parse error at line 1, col 10: syntax error")
    assert (query, mark) == ("  { name = }", " " * 11 + "^")


@pytest.mark.parametrize(
    "arguments", [("--since", "soon"), ("--since", "1h", "--start", "-2h"), ("--start", "now", "--end", "-1h")]
)
def test_what_is_asked_wrongly(peer, arguments):
    assert _run(peer, "traces", "{ }", *arguments).exit_code == 2
    assert peer.asked == []


def test_tempo_itself_has_its_api_at_the_root():
    peer = _Peer(root=True)
    try:
        assert ORDER.hex() in _run(peer, "traces", "{ .items = 3 }", *RANGE).stdout
        assert "shop order" in _run(peer, "trace", ORDER.hex()).stdout
        assert f"no trace {'abd':0>32}" in _run(peer, "trace", "abd").stderr
    finally:
        peer.close()


def test_token_and_tenant_go_along(peer):
    _run(peer, "traces", "{ }", "--token", "secret", "--tenant", "b")
    headers = peer.asked[0][2]
    assert (headers["authorization"], headers["x-scope-orgid"]) == ("Bearer secret", "b")


def test_nobody_there():
    done = CliRunner().invoke(app, ["traces", "{ }", "--url", "http://127.0.0.1:9"])
    assert done.exit_code == 1
    assert "cannot be reached" in done.stderr
    assert CliRunner().invoke(app, ["trace", "1", "--url", "nonsense"]).exit_code == 2


def _piped(peer, *arguments, **environment):
    program = "from swarmscope.app.cli import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments, "--url", peer.url], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={**os.environ, **environment},
    )  # fmt: skip


def test_a_closed_pipe_ends_it_quietly(peer):
    _add(peer, *(_span(k, k - 1) for k in range(1, 3001)))
    running = _piped(peer, "trace", "8")
    running.stdout.readline()
    running.stdout.close()
    assert running.wait(60) == 0
    assert running.stderr.read() == b""
    running.stderr.close()


@pytest.mark.parametrize(("environment", "is_coloured"), [({"FORCE_COLOR": "1"}, True), ({"NO_COLOR": "1"}, False)])
def test_colours(peer, environment, is_coloured):
    shown, _ = _piped(peer, "trace", ORDER.hex(), **{"NO_COLOR": "", **environment}).communicate(timeout=60)
    assert (b"\x1b[31m" in shown) is is_coloured


def test_nothing_of_the_server_is_needed():
    probe = (
        "import sys\nfor name in ('numpy', 'starlette', 'orjson', 'google.protobuf'): sys.modules[name] = None\n"
        "from swarmscope.app.client import trace_command, trace_peer\nfrom swarmscope.app.cli import app"
    )
    subprocess.run([sys.executable, "-c", probe], check=True, timeout=60)


def test_ids_in_hexadecimal_are_read_too():
    span = {"spanId": "00000000000000ff", "parentSpanId": "", "name": "x"}
    answer = {"trace": {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}}
    assert [each.span_id for each in read_spans(answer)] == ["00000000000000ff"]


@pytest.mark.parametrize(
    ("duration_ns", "text"),
    [(0, "0ns"), (999, "999ns"), (1_500, "1.50µs"), (25_000_000, "25.0ms"), (300_000_000, "300ms"), (S, "1.00s"),
     (59 * S, "59.0s"), (125 * S, "2m5s"), (3 * 3600 * S, "3h0m"), (-2 * MS, "-2.00ms")],
)  # fmt: skip
def test_durations_for_the_eye(duration_ns, text):
    assert spell_duration(duration_ns) == text
