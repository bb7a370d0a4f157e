import http.server
import json
import re
import threading
import urllib.parse
from io import StringIO

import pytest
from rich.console import Console
from typer.testing import CliRunner

from swarmscope.app.cli import app
from swarmscope.app.client.agents_command import watch
from swarmscope.app.client.fleet_peer import FleetPeer
from swarmscope.app.client.fleet_tables import spell_age, spell_cost, spell_count
from swarmscope.app.client.graph_command import spell_rate
from swarmscope.app.client.graph_text import to_dot, to_mermaid

LONG = "a-very-long-name-of-an-agent-that-nobody-would-ever-want-to-type-into-a-terminal"
RANGE = {"start": "2023-11-14T21:13:20.000Z", "end": "2023-11-14T22:13:20.000Z"}


def _agent(name, status="active", reason="", **fields):
    return {
        "name": name, "status": status, "reason": reason, "since": "2023-11-14T22:13:00.000Z", "team": "red",
        "version": "1.0", "model": "gpt-4o", "provider": "openai", "framework": "", "service": "s", "id": "",
        "first_seen": "2023-11-14T22:00:00.000Z", "last_seen": "2023-11-14T22:13:00.000Z", "spans": 1234, "errors": 0,
        "tokens": {"input": 1000, "output": 500}, "cost_usd": 1.25, "open_spans": 2, **fields,
    }  # fmt: skip


AGENTS = {"agents": [_agent("writer"), _agent(LONG, "offline"),
                     _agent("judge", "deadlocked", "waits for critic, which waits for it", errors=3)]}  # fmt: skip


def _edge(source, target, kind="call", **fields):
    return {
        "source": source, "target": target, "type": kind, "count": 12, "errors": 0, "rate": 0.5, "p50": 0.25,
        "p90": 1.5, "p99": 125, "bytes": 10, "cost_usd": 0.004, "tokens": 7, **fields,
    }  # fmt: skip


GRAPH = {
    **RANGE,
    "nodes": [{"id": name, "team": "", "spans": 1, "errors": 0, "tokens": 1, "cost_usd": 0, "status": "active"}
              for name in ("writer", "judge", "loner")],
    "edges": [_edge("judge", LONG, count=2, p50=None, p90=None, p99=None, cost_usd=None, rate=None),
              _edge("writer", "judge", "handoff", errors=1)],
}  # fmt: skip
CONVERSATION = {
    "id": "c/1 ü", "start": "2023-11-14T22:13:00.000Z", "end": "2023-11-14T22:13:05.500Z",
    "agents": ["writer", "judge"],
    "traces": ["0af7651916cd43dd8448eb211c80319c"],
    "totals": {"spans": 2, "errors": 1, "input_tokens": 1500, "output_tokens": 20, "cost_usd": 0.0123},
    "turns": [
        {"agent": "judge", "start": "2023-11-14T22:13:02.000Z", "end": "2023-11-14T22:13:05.500Z",
         "operation": "execute_tool", "model": "", "tool": "search", "input_tokens": 0, "output_tokens": 0,
         "cost_usd": 0, "error": "timeout"},
        {"agent": "writer", "start": "2023-11-14T22:13:00.000Z", "end": "2023-11-14T22:13:01.000Z",
         "operation": "chat", "model": "gpt-4o", "tool": "", "input_tokens": 1500, "output_tokens": 20,
         "cost_usd": 0.0123, "error": ""},
    ],
    "messages": [{"source": "writer", "target": "judge", "type": "handoff", "at": "2023-11-14T22:13:01.500Z"}],
    "tools": [{"name": "search", "calls": 1, "errors": 1}],
}  # fmt: skip
COSTS = {
    **RANGE,
    "by": ["agent", "model"],
    "rows": [
        {"agent": "writer", "model": "gpt-4o", "input_tokens": 1_500_000, "output_tokens": 20_000, "cached_tokens": 0,
         "reasoning_tokens": 0, "inferences": 40, "cost_usd": 3.95, "unpriced_tokens": 0},
        {"agent": LONG, "model": "", "input_tokens": 100, "output_tokens": 50, "cached_tokens": 0,
         "reasoning_tokens": 0, "inferences": 2, "cost_usd": 0, "unpriced_tokens": 150},
        {"agent": "loner", "model": "", "input_tokens": 0, "output_tokens": 0, "cached_tokens": 0,
         "reasoning_tokens": 0, "inferences": 0, "cost_usd": 0, "unpriced_tokens": 0},
    ],
    "unknown_models": [{"provider": "home", "model": "brew", "spans": 2, "tokens": 150}],
}  # fmt: skip


class _Peer:
    """Answers of Swarmscope's API of agents, by path, on a port of its own."""

    def __init__(self) -> None:
        self.answers = {"/api/agents": (200, AGENTS), "/api/graph": (200, GRAPH), "/api/costs": (200, COSTS),
                        "/api/conversations/c%2F1%20%C3%BC": (200, CONVERSATION)}  # fmt: skip
        self.asked: list[tuple[str, dict[str, str], dict[str, str]]] = []
        peer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urllib.parse.urlsplit(self.path)
                headers = {key.lower(): value for key, value in self.headers.items()}
                peer.asked.append((parts.path, dict(urllib.parse.parse_qsl(parts.query)), headers))
                unknown = (404, {"error": {"type": "bad_request", "message": "there is no conversation 'x'"}})
                status, answer = peer.answers.get(parts.path, unknown)
                body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()


@pytest.fixture
def peer():
    peer = _Peer()
    yield peer
    peer.server.shutdown()
    peer.server.server_close()


def _run(peer, *arguments, columns=80):
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(app, [*arguments, "--url", peer.url])


def _cells(line):
    return re.split(r"\s{2,}", line.strip())


@pytest.mark.parametrize("columns", [80, 160])
@pytest.mark.parametrize("command", [("agents",), ("graph",), ("cost",), ("conversation", "c/1 ü")])
def test_every_line_fits_and_has_no_colour_when_piped(peer, command, columns):
    done = _run(peer, *command, columns=columns)
    assert done.exit_code == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= columns
    assert (LONG in done.stdout) == (columns == 160 and command[0] != "conversation")


def test_agents_in_trouble_stand_first_with_the_reason(peer):
    lines = _run(peer, "agents", "--once").stdout.splitlines()
    assert lines[0] == "3 agents, 1 deadlocked, 1 active, 1 offline"
    assert _cells(lines[2]) == ["agent", "model", "status", "seen", "open", "spans", "errors", "tokens", "cost"]
    judge = _cells(lines[3])
    assert judge[:3] + judge[4:] == ["judge", "gpt-4o", "deadlocked", "2", "1.2k", "3", "1.5k", "$1.25"]
    assert [line.split()[0] for line in lines[4:5]] == ["writer"]
    assert re.match(r"a-very-lon\w*…\w*inal  gpt-4o", lines[5])
    assert lines[7:] == ["judge  waits for critic, which waits for it"]


def test_narrow_terminals_lose_no_number(peer):
    lines = _run(peer, "agents", columns=40).stdout.splitlines()
    assert _cells(lines[3])[4:] == ["2", "1.2k", "3", "1.5k", "$1.25"]


def test_tenant_and_token_are_sent(peer):
    _run(peer, "agents", "--tenant", "acme", "--token", "secret")
    path, _, headers = peer.asked[0]
    assert path == "/api/agents"
    assert headers["x-scope-orgid"] == "acme"
    assert headers["authorization"] == "Bearer secret"


@pytest.mark.parametrize(("command", "answer"), [
    (("agents",), AGENTS), (("graph",), GRAPH), (("cost",), COSTS), (("conversation", "c/1 ü"), CONVERSATION),
])  # fmt: skip
def test_json_is_the_answer(peer, command, answer):
    assert json.loads(_run(peer, *command, "--json").stdout) == answer


class _EnoughError(Exception):
    pass


def test_the_live_table_redraws_and_outlives_a_server_that_is_away(peer):
    console = Console(file=StringIO(), force_terminal=True, width=80, height=24)
    told = []

    def wait():
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
        console.file.seek(0)
        console.file.truncate()
        told.append(text)
        if len(told) == 1:
            peer.answers["/api/agents"] = (503, {"error": {"type": "unavailable", "message": "starting up"}})
        elif len(told) == 2:
            peer.answers["/api/agents"] = (200, {"agents": [_agent(f"a{n:02d}") for n in range(40)]})
        else:
            raise _EnoughError

    with pytest.raises(_EnoughError):
        watch(FleetPeer(peer.url), console, wait)
    assert "1 deadlocked" in told[0]
    assert "waits for critic" in told[0]
    assert "starting up" in told[1]
    assert "judge" in told[1]
    # 24 lines, five of which are around the table.
    assert "a18" in told[2]
    assert "a19" not in told[2]
    assert "… and 21 more" in told[2]


def test_graph_lists_the_most_frequent_edges_first(peer):
    lines = _run(peer, "graph", columns=100).stdout.splitlines()
    assert lines[0] == f"4 agents, 2 edges  {RANGE['start']} to {RANGE['end']}"
    assert _cells(lines[2]) == ["source", "target", "type", "count", "errors", "rate", "p50", "p99", "cost"]
    assert _cells(lines[3]) == ["writer", "judge", "handoff", "12", "1", "30/m", "250ms", "2m5s", "$0.0040"]
    assert _cells(lines[4])[2:] == ["call", "2", "-", "-", "-", "-"]
    assert lines[6] == "without interactions: loner"


def test_names_in_short_lines_keep_their_ends_and_the_rate_gives_them_room(peer):
    names = [f"researcher-of-the-night-{number:02d}" for number in range(3)]
    edges = [_edge(a, b, "conversation") for a, b in zip(names, names[1:], strict=False)]
    peer.answers["/api/graph"] = (200, {**RANGE, "nodes": [], "edges": edges})
    lines = _run(peer, "graph").stdout.splitlines()
    # Five numbers of 5, 6, 5, 4 and 7 columns and seven gaps of 2 leave 39: 13, 14 and 12 for the type.
    assert [_cells(line)[:3] for line in lines[2:]] == [
        ["source", "target", "type"],
        ["research…t-00", "researche…t-01", "conversation"],
        ["research…t-01", "researche…t-02", "conversation"],
    ]


@pytest.mark.parametrize(("options", "sent"), [
    ((), {"since": "3600000ms"}), (("--since", "15m"), {"since": "900000ms"}),
    (("--start", "1700000000", "--end", "1700000060"),
     {"start": "1700000000000000000", "end": "1700000060000000000"}),
])  # fmt: skip
def test_ranges_are_sent(peer, options, sent):
    _run(peer, "graph", *options)
    assert peer.asked[0][1] == sent


ODD = {
    "nodes": [{"id": 'say "hi"\\', "team": "R&D", "status": "looping"}],
    "edges": [_edge('say "hi"\\', "x] --> y\n|#lt;|", errors=1)],
}


def test_dot_holds_any_name():
    assert to_dot(ODD).splitlines() == [
        "digraph agents {",
        "  rankdir=LR;",
        "  node [shape=box, style=rounded];",
        r'  n0 [label="say \"hi\"\\\nR&amp;D", color=red];',
        '  n1 [label="x] --> y�|#lt;|"];',
        r'  n0 -> n1 [label="call ×12\n1 failed\np90 1.50s", color=red];',
        "}",
    ]


def test_mermaid_holds_any_name():
    assert to_mermaid(ODD).splitlines() == [
        "flowchart LR",
        '  n0["say #34;hi#34;#92;"]',
        '  n1["x#93; #45;#45;#62; y#65533;#124;#35;lt#59;#124;"]',
        '  n0 -->|"call #215;12 1 failed p90 1.50s"| n1',
        "  linkStyle 0 stroke:red",
        "  classDef trouble stroke:red",
        "  class n0 trouble",
    ]


def test_names_of_plain_words_stay_readable_in_mermaid():
    text = to_mermaid({"nodes": [{"id": "code-review_v1.2"}, {"id": "1. _x_"}], "edges": []})
    assert text == 'flowchart LR\n  n0["code-review_v1.2"]\n  n1["1#46; #95;x#95;"]\n'


@pytest.mark.parametrize(("option", "start"), [("--dot", "digraph agents {\n"), ("--mermaid", "flowchart LR\n")])
def test_graphs_for_other_programs(peer, option, start):
    done = _run(peer, "graph", option)
    assert done.stdout.startswith(start)
    assert LONG.replace("-", "") in done.stdout.replace("-", "")  # never cut
    assert "loner" in done.stdout


def test_a_conversation_in_the_order_of_time(peer):
    lines = _run(peer, "conversation", "c/1 ü").stdout.splitlines()
    assert lines[:4] == [
        "conversation c/1 ü",
        "2023-11-14T22:13:00.000Z  5.50s",
        "2 agents, 2 spans, 1.5k tokens in, 20 tokens out, $0.01, 1 error",
        "writer, judge",
    ]
    assert [_cells(line) for line in lines[5:9]] == [
        ["at", "agent", "step", "took", "in", "out", "cost", "error"],
        ["+0s", "writer", "chat gpt-4o", "1.00s", "1.5k", "20", "$0.01"],
        ["+1.50s", "writer", "→ judge (handoff)"],
        ["+2.00s", "judge", "execute_tool search", "3.50s", "timeout"],
    ]
    assert [_cells(line) for line in lines[10:12]] == [["tool", "calls", "errors"], ["search", "1", "1"]]
    assert lines[13:] == ["swarmscope trace 0af7651916cd43dd8448eb211c80319c"]


def test_costs_have_a_sum_and_name_models_without_a_price(peer):
    lines = _run(peer, "cost").stdout.splitlines()
    assert peer.asked[0][1] == {"by": "agent,model", "since": "86400000ms"}
    assert _cells(lines[2]) == ["agent", "model", "calls", "in", "out", "unpriced", "cost"]
    assert _cells(lines[3]) == ["writer", "gpt-4o", "40", "1.5M", "20k", "0", "$3.95"]
    assert _cells(lines[4])[1:] == ["-", "2", "100", "50", "150", "$0.00"]
    assert _cells(lines[5]) == ["total", "42", "1.5M", "20.1k", "150", "$3.95"]
    assert lines[7:] == ["no price is known of 1 model:", "  home/brew  150 tokens"]


@pytest.mark.parametrize(("command", "path", "answer", "words"), [
    (("agents",), "/api/agents", {"agents": []}, "no agents yet"),
    (("graph",), "/api/graph", {**RANGE, "nodes": [], "edges": []}, "no agents from 2023"),
    (("cost",), "/api/costs", {**RANGE, "by": ["agent"], "rows": [], "unknown_models": []}, "no model was called"),
])  # fmt: skip
def test_nothing_yet_is_said(peer, command, path, answer, words):
    peer.answers[path] = (200, answer)
    done = _run(peer, *command)
    assert done.exit_code == 0
    assert words in done.stdout


@pytest.mark.parametrize(("command", "path", "answer", "code", "words"), [
    (("conversation", "x"), "", (0, b""), 1, "there is no conversation 'x'"),
    (("conversation", ""), "", (0, b""), 2, "is not empty"),
    (("agents",), "/api/agents", (404, b"Not Found"), 1, "has no API of agents"),
    (("agents",), "/api/agents", (401, b""), 1, "wants a token"),
    (("agents",), "/api/agents", (200, b"<html>"), 1, "not Swarmscope's JSON"),
    (("agents",), "/api/agents", (200, {"data": 1}), 1, "not Swarmscope's list of agents"),
    (("graph",), "/api/graph", (200, {"nodes": [1], "edges": []}), 1, "not Swarmscope's graph"),
    (("graph",), "/api/graph", (503, {"error": {"type": "unavailable", "message": "not ready"}}), 1, "not ready"),
    (("cost", "--by", "hat"), "/api/costs", (400, {"error": {"type": "x", "message": "no hat"}}), 2, "no hat"),
    (("cost", "--by", ","), "", (0, b""), 2, "--by wants names"),
    (("cost", "--since", "soon"), "", (0, b""), 2, "'soon' is not a duration"),
    (("graph", "--dot", "--json"), "", (0, b""), 2, "choose one of"),
])  # fmt: skip
def test_failures_in_words(peer, command, path, answer, code, words):
    peer.answers[path] = answer
    done = _run(peer, *command)
    assert done.exit_code == code
    assert words in done.stderr.replace("\n", "")


def test_nobody_there():
    done = CliRunner().invoke(app, ["agents", "--url", "http://127.0.0.1:9"])
    assert done.exit_code == 1
    assert "Is `swarmscope up` running?" in done.stderr.replace("\n", " ")


def test_control_characters_do_not_reach_the_terminal(peer):
    peer.answers["/api/agents"] = (200, {"agents": [_agent("a\x1b[2Jb", "looping", "x\ny\x07")]})
    shown = _run(peer, "agents").stdout
    assert "a�[2Jb" in shown
    assert "x�y�" in shown


@pytest.mark.parametrize(("number", "text"), [
    (0, "0"), (999, "999"), (999.6, "1k"), (1000, "1k"), (1234, "1.2k"), (999_949, "999.9k"), (999_951, "1M"),
    (4_200_000_000, "4.2G"),
])  # fmt: skip
def test_counts(number, text):
    assert spell_count(number) == text


@pytest.mark.parametrize(("cost", "text"), [
    (None, "-"), (0, "$0.00"), (1234.5, "$1,234.50"), (0.01, "$0.01"), (0.00123, "$0.0012"), (1e-9, "<$0.0001"),
])  # fmt: skip
def test_costs(cost, text):
    assert spell_cost(cost) == text


@pytest.mark.parametrize(
    ("rate", "text"), [(None, "-"), (2.345, "2.35/s"), (0.5, "30/m"), (0.001, "3.6/h"), (0, "0/h")]
)
def test_rates(rate, text):
    assert spell_rate(rate) == text


def test_ages():
    now_ns = 1_700_000_000_000_000_000  # 2023-11-14T22:13:20Z
    assert spell_age("2023-11-14T22:13:00.500Z", now_ns) == "19s"
    assert spell_age("2023-11-12T22:13:00Z", now_ns) == "2d"
    assert spell_age("2023-11-14T22:14:00Z", now_ns) == "0s"
    assert spell_age(None, now_ns) == "-"
