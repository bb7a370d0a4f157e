import csv
import http.server
import io
import json
import threading
import time
import urllib.parse

import pytest
from typer.testing import CliRunner

from swarmscope.app.cli import app

VECTOR = {
    "resultType": "vector",
    "result": [
        {"metric": {"__name__": "up", "job": 'a"b'}, "value": [1700000000, "1"]},
        {"metric": {"__name__": "gen_ai.usage", "agent.role": "x"}, "value": [1700000000.5, "2.5"]},
    ],
}
MATRIX = {
    "resultType": "matrix",
    "result": [{"metric": {"job": "a"}, "values": [[1700000000 + 15 * i, str(i * i)] for i in range(20)]}],
}


class _Peer:
    """Answers every request alike and remembers what it was asked."""

    def __init__(self) -> None:
        self.status, self.body = 200, {"status": "success", "data": VECTOR}
        self.requests: list[tuple[str, dict[str, str], str]] = []
        self.missing_paths: tuple[str, ...] = ()
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                form = self.rfile.read(int(self.headers["content-length"])).decode()
                fields = {key: values[0] for key, values in urllib.parse.parse_qs(form).items()}
                peer.requests.append((self.path, fields, self.headers.get("authorization", "")))
                body = json.dumps(peer.body).encode() if not isinstance(peer.body, bytes) else peer.body
                self.send_response(404 if self.path.startswith(peer.missing_paths or ("\0",)) else peer.status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def peer():
    peer = _Peer()
    yield peer
    peer.server.shutdown()
    peer.server.server_close()


def _run(peer, *arguments):
    return CliRunner().invoke(app, ["query", *arguments, "--url", peer.url], env={"COLUMNS": "120"})


def test_instant_query_prints_a_table_with_names_that_promql_understands(peer):
    result = _run(peer, "up")
    assert result.exit_code == 0
    assert 'up{job="a\\"b"}' in result.stdout
    assert '{"gen_ai.usage", "agent.role"="x"}' in result.stdout
    assert "2.5" in result.stdout
    path, fields, _ = peer.requests[0]
    assert path == "/prometheus/api/v1/query"
    assert fields["query"] == "up"
    assert abs(float(fields["time"]) - time.time()) < 60


def test_relative_times_make_a_range_query(peer):
    peer.body = {"status": "success", "data": MATRIX}
    result = _run(peer, "up", "--start", "-1h", "--end", "now-5m", "--step", "30s")
    assert result.exit_code == 0
    path, fields, _ = peer.requests[0]
    assert path == "/prometheus/api/v1/query_range"
    assert float(fields["end"]) - float(fields["start"]) == pytest.approx(55 * 60, abs=0.01)
    assert fields["step"] == "30.000"
    assert "2023-11-14T22:13:20Z" in result.stdout


def test_step_is_chosen_when_none_is_given(peer):
    peer.body = {"status": "success", "data": MATRIX}
    _run(peer, "up", "--start", "-1h")
    assert peer.requests[0][1]["step"] == "60.000"


def test_csv_has_a_column_for_each_label(peer):
    result = _run(peer, "up", "--csv")
    rows = list(csv.reader(io.StringIO(result.stdout)))
    assert rows == [
        ["__name__", "agent.role", "job", "timestamp", "value"],
        ["up", "", 'a"b', "1700000000", "1"],
        ["gen_ai.usage", "x", "", "1700000000.5", "2.5"],
    ]


def test_json_is_the_answer_itself(peer):
    assert json.loads(_run(peer, "up", "--json").stdout) == peer.body


def test_chart_draws_the_line_with_its_extremes(peer):
    peer.body = {"status": "success", "data": MATRIX}
    result = _run(peer, "up", "--chart")
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("  361 ┤")
    assert lines[15].strip().startswith("0 ┤⣀")
    assert lines[0].rstrip()[-1] != "┤"  # the parabola ends in the top right corner
    assert '{job="a"}' in result.stdout


def test_scalar_and_string_are_printed_bare(peer):
    peer.body = {"status": "success", "data": {"resultType": "scalar", "result": [1700000000, "2"]}}
    assert _run(peer, "1+1").stdout == "2\n"


def test_native_histogram_is_spelt_out(peer):
    histogram = {"count": "3", "sum": "4.5", "buckets": [[0, "1", "2", "3"]]}
    element = {"metric": {"__name__": "h"}, "histogram": [1700000000, histogram]}
    peer.body = {"status": "success", "data": {"resultType": "vector", "result": [element]}}
    assert "count 3, sum 4.5, (1, 2]: 3" in _run(peer, "h").stdout


def test_warnings_go_to_standard_error(peer):
    peer.body["warnings"] = ["PromQL warning: beware"]
    result = _run(peer, "up", "--csv")
    assert "beware" in result.stderr
    assert "beware" not in result.stdout


def test_errors_of_the_query_are_shown_in_words(peer):
    peer.status = 400
    peer.body = {"status": "error", "errorType": "bad_data", "error": "1:3: parse error: unexpected end"}
    result = _run(peer, "up{")
    assert result.exit_code == 1
    assert "bad_data: 1:3: parse error: unexpected end" in result.stderr


def test_a_plain_prometheus_is_understood_too(peer):
    peer.missing_paths = ("/prometheus",)
    assert _run(peer, "up").exit_code == 0
    assert [path for path, _, _ in peer.requests] == ["/prometheus/api/v1/query", "/api/v1/query"]


def test_token_is_sent(peer):
    _run(peer, "up", "--token", "hush")
    assert peer.requests[0][2] == "Bearer hush"


def test_missing_token_is_explained(peer):
    peer.status = 401
    assert "--token" in _run(peer, "up").stderr


def test_nobody_there(peer):
    peer.server.shutdown()
    peer.server.server_close()
    result = _run(peer, "up")
    assert result.exit_code == 1
    assert "swarmscope up" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--start", "yesterday"], "'yesterday' is not a time"),
        (["--start", "-1h", "--end", "-2h"], "--start lies after --end"),
        (["--start", "-1h", "--step", "0"], "longer than 0"),
        (["--time", "now", "--start", "-1h"], "--time is for an instant query"),
        (["--end", "now"], "--end needs --start"),
    ],
)
def test_times_that_make_no_sense(peer, arguments, words):
    result = _run(peer, "up", *arguments)
    assert result.exit_code == 2
    assert words in result.stderr
    assert peer.requests == []


def test_two_outputs_at_once_are_refused(peer):
    assert _run(peer, "up", "--json", "--csv").exit_code == 2
