import http.server
import json
import os
import subprocess
import sys
import threading
import urllib.parse
from contextlib import contextmanager

import pytest
from typer.testing import CliRunner
from websockets.sync.server import serve

from swarmscope.app.cli import app
from swarmscope.app.client import log_follow
from swarmscope.app.client.log_command import LogQuestion
from swarmscope.app.client.log_follow import follow
from swarmscope.app.client.log_lines import LogLine, print_line
from swarmscope.app.client.log_peer import LogPeer
from swarmscope.app.client.outcome import pointed_at

SECOND = 10**9
NOON = 1_767_355_200 * SECOND  # 2026-01-02T12:00:00Z


class _Peer:
    """Loki's query endpoint over lines that it holds; answers with `failure` where there is one."""

    def __init__(self) -> None:
        self.lines: list[tuple[int, str]] = []
        self.labels = {"service_name": "app", "detected_level": "error"}
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        self.failure: tuple[int, str] | None = None
        self.data: object = None
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = self.rfile.read(int(self.headers["content-length"])).decode()
                fields = {key: values[0] for key, values in urllib.parse.parse_qs(form).items()}
                peer.asked.append((self.path, fields, {key.lower(): value for key, value in self.headers.items()}))
                status, body = peer.failure or (200, json.dumps({"status": "success", "data": peer.answer(fields)}))
                self.send_response(status)
                self.send_header("content-length", str(len(body.encode())))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, fields):
        if self.data is not None:
            return self.data
        start, end, limit = int(fields["start"]), int(fields["end"]), int(fields["limit"])
        inside = sorted(
            (line for line in self.lines if start <= line[0] < end), reverse=fields["direction"] == "backward"
        )
        values = [[str(ts_ns), line] for ts_ns, line in inside[:limit]]
        return {"resultType": "streams", "result": [{"stream": self.labels, "values": values}] if values else []}


@pytest.fixture
def peer():
    peer = _Peer()
    yield peer
    peer.server.shutdown()
    peer.server.server_close()


def _logs(peer, *arguments, query='{a="b"}'):
    return CliRunner().invoke(app, ["logs", query, "--url", peer.url, *arguments])


RANGE = ("--start", "2026-01-02T00:00:00Z", "--end", "2026-01-03T00:00:00Z")


def test_lines_have_time_level_and_service(peer):
    peer.lines = [(NOON + 5_000_000, "world"), (NOON, "hello [bold]")]
    done = _logs(peer, *RANGE)
    assert done.exit_code == 0
    assert done.stdout == "2026-01-02T12:00:00.000Z ERROR app hello [bold]\n2026-01-02T12:00:00.005Z ERROR app world\n"
    path, fields, _ = peer.asked[0]
    assert path == "/loki/api/v1/query_range"
    assert (fields["query"], fields["limit"], fields["direction"]) == ('{a="b"}', "100", "backward")


def test_all_labels(peer):
    peer.lines = [(NOON, "x")]
    shown = '2026-01-02T12:00:00.000Z ERROR {detected_level="error", service_name="app"} x\n'
    assert _logs(peer, *RANGE, "--labels").stdout == shown


def test_one_json_object_a_line(peer):
    peer.lines = [(NOON, "a\nb"), (NOON + 1, "ü")]
    found = [json.loads(line) for line in _logs(peer, *RANGE, "--json").stdout.splitlines()]
    assert found == [
        {"timestamp": str(NOON), "labels": peer.labels, "line": "a\nb"},
        {"timestamp": str(NOON + 1), "labels": peer.labels, "line": "ü"},
    ]


@pytest.mark.parametrize(("option", "rows"), [((), range(7000, 12_000 + 7000)), (("--forward",), range(12_000))])
def test_many_lines_come_page_by_page_in_the_order_of_time(peer, option, rows):
    # Three lines share each time, so pages end within a time.
    peer.lines = [(NOON + row // 3, f"{row:05d}") for row in range(19_000)]
    found = _logs(peer, *RANGE, "--limit", "12000", "--json", *option).stdout.splitlines()
    assert [json.loads(line)["line"] for line in found] == [f"{row:05d}" for row in rows]
    assert len(peer.asked) == 3


def test_since_is_counted_from_now(peer):
    _logs(peer, "--since", "15m")
    fields = peer.asked[0][1]
    assert int(fields["end"]) - int(fields["start"]) == 15 * 60 * SECOND


@pytest.mark.parametrize(
    "arguments",
    [("--since", "soon"), ("--since", "1h", "--start", "-2h"), ("--start", "now", "--end", "-1h"),
     ("--follow", "--forward"), ("--follow", "--end", "now"), ("--limit", "0")],
)  # fmt: skip
def test_what_is_asked_wrongly(peer, arguments):
    assert _logs(peer, *arguments).exit_code == 2
    assert peer.asked == []


def test_an_error_of_the_query_points_at_the_place(peer):
    peer.failure = (400, "parse error at line 1, col 8: syntax error: unexpected |")
    done = _logs(peer, query='{a="b"}| | "x"')
    assert done.exit_code == 1
    assert done.stderr.splitlines() == [
        "parse error at line 1, col 8: syntax error: unexpected |", '  {a="b"}| | "x"', "         ^",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "words", "pointed"),
    [
        ("{}\n\t| x", "parse error at line 2, col 4: no", "  \t| x\n  \t  ^"),
        ("{}", "parse error at line 1, col 3: no", "  {}\n    ^"),
        ("{}", "parse error at line 9, col 1: no", None),
        ("{}", "too many lines", None),
    ],
)
def test_places_in_queries(expression, words, pointed):
    assert pointed_at(expression, words) == pointed


@pytest.mark.parametrize(("status", "words"), [(401, "wants a token"), (404, "no Loki API"), (500, "broken")])
def test_failures_in_words(peer, status, words):
    peer.failure = (status, "broken")
    done = _logs(peer)
    assert (done.exit_code, words in done.stderr, done.stdout) == (1, True, "")


@pytest.mark.parametrize("arguments", [(), ("--follow",)])
def test_a_server_that_is_not_there(arguments):
    done = CliRunner().invoke(app, ["logs", "{}", "--url", "http://127.0.0.1:1", *arguments])
    assert (done.exit_code, "Is `swarmscope up` running?" in done.stderr.replace("\n", " ")) == (1, True)


def test_token_and_tenant_go_along(peer):
    _logs(peer, "--token", "t", "--tenant", "me")
    headers = peer.asked[0][2]
    assert (headers["authorization"], headers["x-scope-orgid"]) == ("Bearer t", "me")


def test_a_metric_query_gives_a_table(peer):
    peer.data = {"resultType": "vector", "result": [{"metric": {"app": "x"}, "value": [1_767_355_200, "2.5"]}]}
    done = _logs(peer, query='sum by (app) (rate({a="b"}[5m]))')
    assert done.exit_code == 0
    assert "x" in done.stdout
    assert "2.5" in done.stdout
    assert peer.asked[0][0] == "/loki/api/v1/query"
    _logs(peer, "--since", "1h", query='rate({a="b"}[5m])')
    assert peer.asked[1][0] == "/loki/api/v1/query_range"


@pytest.mark.parametrize(
    ("query", "wants_lines"),
    [('{a="b"}', True), ('  # count\n({a="b"} |= "x")', True), ('rate({a="b"}[1m])', False), ("1 + 1", False)],
)
def test_what_a_query_gives(query, wants_lines):
    assert LogQuestion(expression=query).wants_lines is wants_lines


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({"FORCE_COLOR": "1"}, True), ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False), ({}, False)],
)
def test_colours_only_where_they_are_wanted(peer, variables, coloured):
    peer.lines = [(NOON, "x")]
    # A dimmed time is no colour, so NO_COLOR may leave it.
    assert ("\x1b[31m" in _run(peer, *RANGE, variables=variables).stdout) is coloured


def _command(peer, *arguments):
    return [
        sys.executable,
        "-c",
        "from swarmscope.app.cli import main; main()",
        "logs",
        "{}",
        "--url",
        peer.url,
        *arguments,
    ]


def _run(peer, *arguments, variables):
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"TERM": "xterm-256color", **variables}
    return subprocess.run(_command(peer, *arguments), env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("option", [(), ("--json",)])
def test_a_closed_pipe_is_no_error(peer, option):
    peer.lines = [(NOON + row, "x" * 200) for row in range(5000)]
    process = subprocess.Popen(
        _command(peer, *RANGE, "--limit", "5000", *option), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(30) == 0


def test_control_characters_do_not_drive_the_terminal(capsys):
    from rich.console import Console

    print_line(LogLine(NOON, {}, "a\x07b\x1b]0;title\x07c"), Console())
    shown = capsys.readouterr().out
    assert "\x07" not in shown
    assert "\x1b" not in shown


@contextmanager
def _tailing(peer, sessions):
    """A websocket that sends each session's messages and breaks, session by session; then it stays silent."""
    asked = []

    def handle(socket):
        asked.append(dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(socket.request.path).query)))
        for message in sessions[len(asked) - 1] if len(asked) <= len(sessions) else ():
            socket.send(json.dumps(message))

    with serve(handle, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        port = server.socket.getsockname()[1]
        asking = LogPeer(peer.url)

        class _Both(LogPeer):
            def tail_url(self, fields):
                return f"ws://127.0.0.1:{port}/tail?{urllib.parse.urlencode(fields)}"

        yield _Both(asking.url), asked
        server.shutdown()


def _message(labels, *lines, dropped=()):
    values = [[str(ts_ns), line] for ts_ns, line in lines]
    return {"streams": [{"stream": labels, "values": values}], "dropped_entries": list(dropped)}


def test_following_over_a_break_has_no_gap_and_no_repetition(peer, monkeypatch):
    monkeypatch.setattr(log_follow, "_PAUSES_S", (0.01,))
    monkeypatch.setattr(log_follow, "_LAST_PAUSE_S", 0.01)
    monkeypatch.setattr(log_follow, "_PAGE_LINES", 10)
    everything = [(NOON + row // 2, f"{row:03d}") for row in range(60)]
    peer.lines = everything[:50]  # what came while nobody was connected is more than a page
    sessions = [[_message(peer.labels, *everything[:5])], [_message(peer.labels, *everything[45:])]]
    notes = []
    with _tailing(peer, sessions) as (both, asked):
        lines = follow(both, {"query": "{}", "limit": "3"}, NOON, notes.append)
        found = [next(lines).line for _ in range(60)]
        lines.close()
    assert found == [line for _, line in everything]
    assert (asked[0]["start"], asked[0]["limit"]) == (str(NOON), "3")
    assert (asked[1]["start"], asked[1]["limit"]) == (str(NOON + 24), "10")
    assert len(notes) == 1
    assert "connection lost" in notes[0]


def test_following_tells_of_lines_that_were_left_out(peer):
    notes = []
    message = _message(peer.labels, (NOON, "x"), dropped=[{"count": 7, "labels": "{}", "timestamp": "1"}])
    with _tailing(peer, [[message]]) as (both, _):
        lines = follow(both, {"query": "{}", "limit": "3"}, NOON, notes.append)
        assert next(lines).line == "x"
        lines.close()
    assert notes == ["7 lines came too fast and were left out"]


@pytest.mark.parametrize(
    ("level", "shown"), [("critical", " CRIT  "), ("warning", " WARN  "), ("fatal", " FATAL "), ("unknown", "       ")]
)
def test_a_level_is_a_word_of_five_letters_at_the_most(capsys, level, shown):
    from rich.console import Console

    print_line(LogLine(NOON, {"detected_level": level}, "text"), Console())
    assert f"Z{shown}text" in capsys.readouterr().out
