import json
import re
import socket

import pytest
from tests.api.alerts.served import Served
from tests.api.alerts.test_alerts_api import Names
from tests.api.served import listening
from typer.testing import CliRunner

from swarmscope.alerting.rules.history import AlertHistory
from swarmscope.alerting.rules.state_machine import ActiveAlert, Change
from swarmscope.api.alertmanager.parts import AlertStanding
from swarmscope.app.cli import app
from swarmscope.app.clock import SystemClock
from swarmscope.model.alerts import AlertPhase

LONG = "a-very-long-name-of-an-agent-that-nobody-would-ever-want-to-type-into-a-terminal"


@pytest.fixture(scope="module")
def peer():
    served = Served(SystemClock())
    served.send(alertname="AgentDeadlock", severity="critical", agent=LONG)
    served.send(alertname="Slow", severity="info", agent="writer")
    served.house.standings["Slow"] = AlertStanding("suppressed", silenced_by=["x"])
    with listening(served.app) as url:
        served.url = url
        yield served


def _run(peer, *arguments, columns=80):
    return CliRunner(env={"COLUMNS": str(columns)}).invoke(app, [*arguments, "--url", peer.url])


def test_alerts_stand_in_the_order_of_how_bad_they_are(peer):
    lines = _run(peer, "alerts").stdout.splitlines()
    assert lines[0] == "4 alerts, 2 firing, 1 pending, 1 silenced"
    assert lines[2].split() == ["state", "severity", "alert", "labels", "since"]
    rows = [re.split(r"\s{2,}", line) for line in lines[3:]]
    assert [row[:3] for row in rows] == [
        ["firing", "critical", "AgentDeadlock"], ["firing", "critical", "Down"], ["pending", "critical", "Down"],
        ["silenced", "info", "Slow"],
    ]  # fmt: skip
    assert rows[3][3] == "agent=writer"
    assert re.fullmatch(r"agent=.*…\S+", rows[0][3])


@pytest.mark.parametrize("columns", [50, 80, 160])
@pytest.mark.parametrize("command", [("alerts",), ("silence", "list", "--expired"), ("alerts", "--history")])
def test_every_line_fits_and_has_no_colour_when_piped(peer, command, columns):
    _run(peer, "silence", "add", f"agent={LONG}", "-c", "a comment " * 20)
    done = _run(peer, *command, columns=columns)
    assert done.exit_code == 0, done.stderr
    assert "\x1b" not in done.stdout
    assert max(len(line) for line in done.stdout.splitlines()) <= max(columns, 60)


def test_wide_terminals_show_summaries(peer):
    assert "x is down" in _run(peer, "alerts", columns=160).stdout
    assert "x is down" not in _run(peer, "alerts").stdout


def test_filters_and_json(peer):
    found = json.loads(_run(peer, "alerts", "severity=~critical|error", "agent!=", "--json").stdout)
    assert [alert["name"] for alert in found["alerts"]] == ["AgentDeadlock"]
    assert _run(peer, "alerts", "--state", "inhibited").stdout == "no alerts\n"


@pytest.mark.parametrize(("arguments", "words"), [
    (("alerts", "x"), "'filter': bad matcher format: x"),
    (("alerts", "--state", "odd"), "--state is one of"),
    (("alerts", "--since", "1h"), "go with --history"),
    (("silence", "add", "a=b", "-d", "soon"), "'soon' is not a duration"),
    (("silence", "add", "a=b", "-d", "0"), "longer than 0"),
    (("silence", "add", "=b"), "'=b' is not a matcher"),
    (("silence", "add", "a=~("), "invalid regular expression"),
    (("silence", "add", "a=~.*"), "must not match the empty string"),
    (("silence", "list", "b"), "bad matcher format"),
    (("notify", "test", "team", "--label", "x"), "--label wants name=value"),
])  # fmt: skip
def test_what_is_typed_wrongly_is_told(peer, arguments, words):
    done = _run(peer, *arguments, columns=200)
    assert done.exit_code == 2
    assert words in done.stderr


def test_a_silence_from_its_beginning_to_its_end(peer):
    made = _run(peer, "silence", "add", "AgentDeadlock", "agent=~w.*", "-d", "2h", "-c", "night", "-a", "me")
    silence_id = made.stdout.strip()
    assert re.fullmatch(r"[0-9a-f-]{36}", silence_id)
    assert re.match(r'silenced alertname="AgentDeadlock", agent=~"w\.\*" until 20\d\d-', made.stderr)
    wide = _run(peer, "silence", "list", "agent=~w.*", columns=160).stdout.splitlines()[1]
    assert re.split(r"\s{2,}", wide)[:5] == [
        silence_id, "active", 'alertname="AgentDeadlock", agent=~"w.*"', "me", "night",
    ]  # fmt: skip
    assert wide.endswith(("in 1h59m", "in 2h"))
    narrow = _run(peer, "silence", "list", "agent=~w.*").stdout.splitlines()[1].split()[0]
    assert silence_id.startswith(narrow)
    assert _run(peer, "silence", "expire", narrow).stdout == f"expired {silence_id}\n"
    assert "(1 silence over: --expired shows them)" in _run(peer, "silence", "list", "agent=~w.*").stdout
    assert "expired" in _run(peer, "silence", "list", "agent=~w.*", "--expired").stdout


def test_unknown_silences_are_told(peer):
    assert _run(peer, "silence", "expire", "ffff").stderr == "there is no silence ffff\n"
    nobody = "bfc4d2d8-9d6a-4cb4-9d6c-000000000000"
    done = _run(peer, "silence", "expire", nobody)
    assert (done.exit_code, done.stderr) == (1, f"there is no silence {nobody}\n")


def test_a_receiver_is_tested(peer):
    done = _run(peer, "notify", "test", "team", "--label", "agent=x")
    assert (done.exit_code, done.stdout, done.stderr) == (
        1, "webhook[0]  sent\nslack[0]  failed  no such channel\n", "1 of 2 integrations failed\n",
    )  # fmt: skip
    assert peer.tester.told[-1] == ("team", {"agent": "x"})
    done = _run(peer, "notify", "test", "nope")
    assert (done.exit_code, done.stderr) == (1, "there is no receiver 'nope'; there are: team, nobody\n")


def test_history_is_printed_in_the_order_of_time(peer):
    now_ms = SystemClock().now_ns() // 1_000_000
    alert = ActiveAlert({"alertname": "Down", "job": "x"}, {"summary": "x is down"}, 0.5, now_ms)
    history = AlertHistory(peer.lines, Names(), "default")
    history.write("f;g", [Change(alert, AlertPhase.INACTIVE, AlertPhase.FIRING, now_ms - 5000)])
    history.write("f;g", [Change(alert, AlertPhase.FIRING, AlertPhase.INACTIVE, now_ms - 2000)])
    lines = _run(peer, "alerts", "--history", "job=x").stdout.splitlines()
    assert [line.split()[1:] for line in lines[1:]] == [
        ["firing", "Down", "x", "is", "down"], ["resolved", "Down", "x", "is", "down"],
    ]  # fmt: skip
    assert "nothing happened" in _run(peer, "alerts", "--history", "--since", "1s").stdout


def test_nobody_there_is_told():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        done = CliRunner().invoke(app, ["alerts", "--url", url])
    assert done.exit_code == 1
    assert "Is `swarmscope up` running?" in done.stderr
