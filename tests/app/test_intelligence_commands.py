import csv
import http.server
import json
import threading

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from tests.analysis.intelligence.known_networks import KNOWN
from typer.testing import CliRunner

from swarmscope.app.cli import app
from swarmscope.app.client.bars import Bar, print_bars, spell_number

STATES = [[s & 1, s >> 1 & 1, s >> 2 & 1] for s in range(8)]
# Oizumi et al. 2014, figure 4: A = OR(B, C), B = AND(A, C), C = XOR(A, B); Φ = 23/12 in the state 100.
FIGURE_4 = {
    "name": "figure 4", "n": 3, "tpm": [[b | c, a & c, a ^ b] for a, b, c in STATES],
    "cm": [[0, 1, 1], [1, 0, 1], [1, 1, 0]], "state": [1, 0, 0], "subsystem_nodes": [0, 1, 2], "iit3": {},
}  # fmt: skip


def _estimate(group, **fields):
    return {
        "group": group, "value": 0.25, "raw": 0.3, "significant": True, "valid": True, "reason": "",
        "estimator": "logistic", "integration_type": "iit_3.0", "n_units": 4, "n_samples": 900, "p_value": 0.01,
        "ci_low": 0.1, "ci_high": 0.4, "extra": {}, **fields,
    }  # fmt: skip


ANSWER = {
    "kind": "phi", "start": "2023-11-14T21:13:20.000Z", "end": "2023-11-14T22:13:20.000Z",
    "results": [
        _estimate("red"),
        _estimate("blue", value=0.0, raw=0.05, significant=False, p_value=0.4),
        _estimate("green", value=0.0, raw=None, significant=False, valid=False, p_value=None, ci_low=None, ci_high=None,
                  reason="too_few_bins: 20 of 600"),
    ],
}  # fmt: skip


@pytest.fixture
def peer():
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            self.server.asked.append((self.path, body))
            status, answer = self.server.answer
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(answer).encode())

        def do_GET(self):
            self.server.asked.append((self.path, None))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(self.server.jobs.pop(0)).encode())

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.answer = [], (200, ANSWER)
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def _run(*arguments, columns=80):
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(app, ["intelligence", *map(str, arguments)])


def _coupled(n=600):
    random = np.random.default_rng(7)
    on = random.integers(0, 2, (n, 3))
    for t in range(1, n):
        on[t] = np.roll(on[t - 1], 1) ^ (random.random(3) < 0.1)
    return on


@pytest.fixture
def model_file(tmp_path):
    def write(content, name="model.json"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        return path

    return write


def test_json_of_a_declared_model(model_file):
    done = _run("phi", "--model", model_file(FIGURE_4), "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)
    assert list(found) == ["phi", "ei", "mip", "concepts"]
    assert found["phi"] == pytest.approx(23 / 12, abs=5e-6)
    assert found["mip"] == {"from": [0, 1], "to": [2]}
    # The reference: AB → C is the cut; the concepts of figure 10 have these small φ.
    small = {tuple(concept["mechanism"]): round(concept["phi"], 4) for concept in found["concepts"]}
    assert small == {(0,): 0.1667, (1,): 0.1667, (2,): 0.25, (0, 1): 0.25, (1, 2): 0.3333, (0, 1, 2): 0.5}


def test_table_of_a_declared_model(model_file):
    done = _run("phi", "--model", model_file({**FIGURE_4, "units": ["or", "and", "xor"]}))
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1].split()[:5] == ["state", "100", "iit_3.0", "declared", "1.916667"]
    assert "minimum partition      or, and → xor" in lines
    assert any(line.strip().startswith("or, and, xor ┤█") and line.endswith("0.5") for line in lines)
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize("vector", KNOWN, ids=lambda vector: vector["name"])
def test_published_vectors_as_they_stand(model_file, vector):
    found = json.loads(_run("phi", "--model", model_file(vector), "--json").stdout)
    assert found["phi"] == pytest.approx(vector["iit3"]["big_phi"], abs=5e-6)
    assert found["ei"] == pytest.approx(vector["ei"]["effective_information_bits"], abs=5e-6)
    ties = vector["iit3"]["tie_cuts"]
    assert [found["mip"]["from"], found["mip"]["to"]] in ties if found["mip"] else not ties


def test_subsystem_of_a_larger_network(model_file):
    # A fourth unit that copies itself is held at 0 and is nobody's input.
    tpm = [[*FIGURE_4["tpm"][s & 7], s >> 3] for s in range(16)]
    cm = [[*row, 0] for row in FIGURE_4["cm"]] + [[0, 0, 0, 1]]
    larger = {"tpm": tpm, "cm": cm, "state": [1, 0, 0, 0], "subsystem_nodes": [0, 1, 2]}
    done = _run("phi", "--model", model_file(larger), "--json")
    assert json.loads(done.stdout)["phi"] == pytest.approx(23 / 12, abs=5e-6)
    whole = _run("phi", "--model", model_file({**larger, "subsystem_nodes": None}), "--json")
    assert json.loads(whole.stdout)["phi"] == 0, "the fourth unit is not connected"


def test_effective_information_of_a_declared_model(model_file):
    swap = {"tpm": [[0, 0], [0, 1], [1, 0], [1, 1]], "state": [0, 0]}
    done = _run("phi", "--model", model_file(swap), "--integration-type", "ei_mip", "--json")
    assert json.loads(done.stdout) == {"phi": 2.0, "ei": 2.0, "mip": {"parts": [[0], [1]]}, "concepts": []}


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_states_are_estimated(model_file, tmp_path, kind):
    on, path = _coupled(), tmp_path / f"states.{kind}"
    names = ["writer", "judge", "critic"]
    if kind == "csv":
        with path.open("w", newline="") as stream:
            csv.writer(stream, delimiter=";").writerows([["time", *names], *([t, *row] for t, row in enumerate(on))])
    else:
        pq.write_table(pa.table({name: pa.array(column) for name, column in zip(names, on.T, strict=True)}), path)
    found = json.loads(_run("phi", "--model", path, "--json").stdout)
    assert list(found)[:4] == ["phi", "ei", "mip", "concepts"]
    assert (found["n_units"], found["n_samples"], found["significant"]) == (3, 600, True)
    assert found["p_value"] <= 0.05
    assert 0 < found["ci_low"] <= found["ci_high"]
    assert found["phi"] > 0
    assert len(found["mip"]["from"]) + len(found["mip"]["to"]) == 3
    assert found["extra"]["units"] == names


def test_gaussian_phi_of_states(tmp_path):
    path = tmp_path / "states.csv"
    path.write_text("\n".join(",".join(map(str, row)) for row in _coupled()))
    found = json.loads(_run("phi", "--model", path, "--integration-type", "phi_g", "--json").stdout)
    assert (found["integration_type"], found["significant"], found["ei"], found["concepts"]) == (
        "phi_g",
        True,
        None,
        [],
    )
    assert sorted(unit for part in found["mip"]["parts"] for unit in part) == [0, 1, 2]
    lines = _run("phi", "--model", path, "--integration-type", "phi_g").stdout.splitlines()
    assert lines[-1].startswith("minimum partition      unit ")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"tpm": [[0, 0], [0, 1], [1, 0], [1, 1.5]], "state": [0, 0]}, "row 3, unit 1 is 1.5"),
        ({"tpm": [[0, 0], [0, 1], [1, 0]], "state": [0, 0]}, "2 units have 4 states, it has 3 rows"),
        ({"tpm": [[0, 0]] * 4, "state": [1, 0]}, "unreachable"),
        ({"tpm": [[0, 0]] * 4, "state": [2, 0]}, "unit 0 is 2"),
        ({"vectors": []}, "tpm and state missing; it has vectors"),
        ([1], "an object with tpm and state is expected"),
        ({"tpm": [[0, 0]] * 4, "state": [0, 0], "cm": [[1]]}, "cm: 2 units need"),
        ({"tpm": [[0, 0]] * 4, "state": [0, 0], "subsystem_nodes": [5]}, "subsystem"),
        ({"tpm": [[0, 0]] * 4, "state": [0, 0], "units": ["a"]}, "a list of 2 names"),
        (b'{"tpm": ', "it is not JSON"),
        (b"a,b\n0,1\n1,nan\n", "line 3, column 2: 'nan' is no finite number"),
        (b"a,b\n0,1\n1\n", "line 3: 1 values, where 2 are expected"),
        (b"a,b\n0,1\n1,x\n", "line 3, column 2: 'x'"),
        (b"0,1\n1,0\n" * 20, "too_few_bins: 40 of 600"),
        (b"0,1\n" * 700, "constant_units"),
        (b"a\n1\n", "1 units in 1 rows"),
        (b"", "it is empty"),
        (b"PAR1 is no file", "it is not Parquet"),
        (b"\xff\xfe\x00", "neither JSON, nor CSV in UTF-8, nor Parquet"),
    ],
)
def test_bad_files(model_file, content, words):
    path = model_file(content, "given")
    for output in ((), ("--json",)):
        done = _run("phi", "--model", path, *output)
        assert done.exit_code == 2
        assert str(path) in done.stderr
        assert words in done.stderr
        assert done.stdout == ""


def test_bad_options(model_file, peer, tmp_path):
    done = _run("phi", "--model", tmp_path / "away.json")
    assert (done.exit_code, "No such file" in done.stderr) == (2, True)
    path = model_file(FIGURE_4)
    assert _run("phi", "--model", path, "--agents", "a").exit_code == 2
    assert "not 'iit_9'" in _run("phi", "--model", path, "--integration-type", "iit_9").stderr
    assert _run("phi", "--integration-type", "iit_9", "--url", peer.url).exit_code == 2
    assert peer.asked == []


def test_server_is_asked(peer):
    _run("phi", "--agents", "a, b", "--since", "15m", "--integration-type", "phi_g", "--url", peer.url)
    _run("emergence", "--teams", "red", "--start", "1700000000", "--until", "1700000060", "--url", peer.url)
    _run("coherence", "--modules", "m,n", "--url", peer.url)
    _run("coordination", "--url", peer.url)
    assert {path for path, _ in peer.asked} == {"/api/intelligence/compute"}
    assert [body for _, body in peer.asked] == [
        {"kind": "phi", "since": "900000ms", "agents": ["a", "b"], "integration_type": "phi_g"},
        {"kind": "emergence", "start": "1700000000000000000", "end": "1700000060000000000", "teams": ["red"]},
        {"kind": "coherence", "since": "3600000ms", "modules": ["m", "n"]},
        {"kind": "coordination", "since": "3600000ms"},
    ]


def test_long_computation_is_waited_for(peer, monkeypatch):
    monkeypatch.setattr("swarmscope.app.client.fleet_peer._POLL_S", 0.001)
    peer.answer = (200, {"kind": "phi", "job": {"id": "j 1", "state": "running", "progress": 0.0}})
    peer.jobs = [{"id": "j 1", "state": "running"}, {"id": "j 1", "state": "done", "results": ANSWER["results"]}]
    done = _run("phi", "--url", peer.url)
    assert [path for path, _ in peer.asked[1:]] == ["/api/intelligence/jobs/j%201"] * 2
    assert "green  too_few_bins: 20 of 600" in done.stdout
    peer.jobs = [{"id": "j 1", "state": "failed", "error": "out of time"}]
    assert (failed := _run("phi", "--url", peer.url)).exit_code == 1
    assert "out of time" in failed.stderr


@pytest.mark.parametrize("columns", [80, 160])
def test_table_of_estimates(peer, columns):
    done = _run("phi", "--url", peer.url, columns=columns)
    assert done.exit_code == 0, done.stderr
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[3].split()[3:] == ["0.25", "0.3", "0.01", "0.1", "…", "0.4", "4", "900", "yes"]
    assert lines[4].endswith(" no")
    assert lines[5].endswith(" invalid")
    assert sum("┤█" in line for line in lines) == 1, "nothing is drawn of what is not significant"
    assert lines[-1] == "green  too_few_bins: 20 of 600"


def test_json_is_the_answer(peer):
    assert json.loads(_run("phi", "--json", "--url", peer.url).stdout) == ANSWER


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ((400, {"error": {"message": "there is no agent 'x'"}}), 2, "there is no agent 'x'"),
        ((401, {}), 1, "wants a token"),
        ((200, {"results": [7]}), 1, "not Swarmscope's estimates"),
        ((200, {**ANSWER, "results": []}), 0, ""),
    ],
)
def test_answers_that_are_no_estimates(peer, answer, code, words):
    peer.answer = answer
    done = _run("phi", "--url", peer.url)
    assert done.exit_code == code
    assert words in done.stderr


def test_bars():
    console = Console(width=30, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    print_bars([Bar("a", 1.0), Bar("long", 0.5), Bar("none", float("nan")), Bar("below", -1.0)], console)
    # 30 columns less 5 of the name, 3 of the longest figure and 4 between leave 18.
    assert console.export_text().splitlines() == [
        f"    a ┤{'█' * 18} 1", f" long ┤{'█' * 9} 0.5", " none ┤ -", "below ┤ -1",
    ]  # fmt: skip
    assert [spell_number(value) for value in (0, 1e-9, 0.5, 12.3456789, None)] == [
        "0",
        "1e-09",
        "0.5",
        "12.345679",
        "-",
    ]
