from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from swarmscope.alerting.runbooks.ports import RunbookPorts, RunbookSettings, SilenceRequest
from swarmscope.alerting.runbooks.runbooks import Runbooks, RunStateError, UnknownRunError
from swarmscope.alerting.runbooks.runs import Run, RunState
from swarmscope.model.alerts import Alert
from swarmscope.sdk.signals import AgentSignals, SignalServer
from tests.alerting.kept_state import NS, KeptState, MovedClock
from tests.alerting.runbooks.answering_server import Answering, answering

HTTP = "kind: http\nurl: http://127.0.0.1:{port}/restart/{{{{ .Labels.agent_name }}}}?why={{{{ .Labels.why }}}}\n"


class Bench:
    """Runbooks over a folder, with ports that note what they are asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.state, self.clock = folder, KeptState(), MovedClock()
        self.told: list[Run] = []
        self.notes: list[str] = []
        self.asked: list[tuple[str, str]] = []
        self.silences: list[SilenceRequest] = []
        self.answer = True
        self.programs: tuple[Path, ...] = ()
        self.dry_run_only = False

    def write(self, action: str, head: str = "alerts: ['alertname=\"Down\"']\n") -> None:
        lines = "".join(f"    {line}\n" for line in action.splitlines())
        (self.folder / "fix.md").write_text(f"---\n{head}actions:\n  - name: act\n{lines}---\n# Fix it\n")

    def _holds(self, tenant: str, query: str) -> bool:
        self.asked.append((tenant, query))
        return self.answer

    def _silence(self, request: SilenceRequest) -> str:
        self.silences.append(request)
        return "s-1"

    def _tell(self, runs: Sequence[Run]) -> None:
        self.told += [replace(run) for run in runs]

    def _note(self, tenant: str, incident: str, kind: str, text: str) -> None:
        self.notes.append(f"{incident} {kind} {text}")

    def make(self) -> Runbooks:
        ports = RunbookPorts(self._holds, self._silence, self._tell, lambda tenant, labels: "inc-1", self._note)
        settings = RunbookSettings(self.folder, self.programs, self.dry_run_only)
        return Runbooks(settings, self.state, ports, self.clock)

    def fire(self, runbooks: Runbooks, is_over: bool = False, **labels: str) -> None:
        now_ns = self.clock.ns
        said = {"alertname": "Down", "agent_name": "r 1", **labels}
        runbooks.take_alerts([Alert(said, {}, START, now_ns if is_over else now_ns + 300 * NS, now_ns)])
        runbooks.look()


START = MovedClock().ns


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


@pytest.fixture
def server() -> Iterator[Answering]:
    with answering() as made:
        yield made


def only(runbooks: Runbooks) -> Run:
    [run] = runbooks.runs("default")
    return run


def test_nothing_is_done_unless_it_is_asked_for(bench: Bench, server: Answering) -> None:
    bench.write(HTTP.format(port=server.port))
    runbooks = bench.make()
    bench.fire(runbooks)
    run = only(runbooks)
    assert (run.state, run.dry_run, server.requests) == (RunState.DRY_RUN, True, [])
    assert run.input["url"] == f"http://127.0.0.1:{server.port}/restart/r%201?why="


def test_http(bench: Bench, server: Answering) -> None:
    bench.write(HTTP.format(port=server.port) + "dry_run: false\nheaders: {x-alert: '{{ .Labels.alertname }}'}\n"
                "body: '{\"agent\": \"{{ .Labels.agent_name | js }}\"}'")  # fmt: skip
    runbooks = bench.make()
    bench.fire(runbooks, why="a/../b?c&d")
    bench.fire(runbooks, why="a/../b?c&d")  # the same firing again
    run = only(runbooks)
    assert (run.state, run.output) == (RunState.DONE, "200 OK\ndone")
    assert (run.requested_by, run.approved_by) == ("alert Down", "runbook fix (approval: none)")
    [(method, path, headers, body)] = server.requests
    # What the alert says is one value, whatever is in it.
    assert (method, path) == ("POST", "/restart/r%201?why=a%2F..%2Fb%3Fc%26d")
    assert (headers["x-alert"], body) == ("Down", b'{"agent": "r 1"}')
    assert [each.state for each in bench.told] == [RunState.DONE]
    assert bench.notes == ["inc-1 runbook fix: act done: 200 OK\ndone"]


def test_answers_that_are_no_success(bench: Bench, server: Answering) -> None:
    server.status, server.body = 503, b"x" * 100_000
    bench.write(HTTP.format(port=server.port) + "dry_run: false\nrate_limit: {runs: 9}")
    runbooks = bench.make()
    bench.fire(runbooks)
    run = only(runbooks)
    assert run.state is RunState.FAILED
    assert run.output.startswith("503 Service Unavailable\nxxx")
    assert len(run.output) <= 65536


def test_a_server_that_hangs(bench: Bench, server: Answering) -> None:
    server.wait_s = 1.0
    bench.write(HTTP.format(port=server.port) + "dry_run: false\ntimeout: 100ms")
    runbooks = bench.make()
    began_s = time.monotonic()
    bench.fire(runbooks)
    assert only(runbooks).state is RunState.FAILED
    assert "ReadTimeout" in only(runbooks).output
    assert time.monotonic() - began_s < 0.9


def test_secrets_stand_nowhere(bench: Bench, server: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "Bearer hush-hush")
    bench.write(HTTP.format(port=server.port) + "dry_run: false\nauthorization: {env: TOKEN_OF_TEST}")
    runbooks = bench.make()
    bench.fire(runbooks)
    assert server.requests[0][2]["authorization"] == "Bearer hush-hush"
    assert b"hush" not in b"".join(bench.state.records["runbook_run"].values())
    bench.write(HTTP.format(port=server.port) + "dry_run: false\nauthorization: {env: NOT_THERE_AT_ALL}")
    runbooks.reload()
    bench.clock.move(3600)
    runbooks.request("default", "fix", "act", {}, "me")
    assert runbooks.runs("default")[0].output == "there is no secret in NOT_THERE_AT_ALL"


def test_commands(bench: Bench) -> None:
    bench.programs = (Path("/bin/sh"), Path("/bin/echo"))
    bench.write("kind: command\ncommand: [echo, 'it is', '{{ .Labels.agent_name }}; $(id) `id`']\ndry_run: false")
    runbooks = bench.make()
    bench.fire(runbooks)
    assert (only(runbooks).state, only(runbooks).output) == (RunState.DONE, "it is r 1; $(id) `id`")


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("[rm, -rf, /]", "rm is not among the allowed programs"),
        ("[/bin/../bin/sh, -c, id]", "is not among the allowed programs"),
        ("[sh, -c, 'exit 3']", "it ended with 3"),
        ("[sh, -c, 'echo before; sleep 20']", "it did not end within 0.5 s\nbefore"),
        ("[sh, -c, 'kill -9 $$']", "it was ended by SIGKILL"),
        ("[echo, '{{ .Labels.evil }}']", "would be the option '--help'"),
        ("[echo, '{{ .Labels.nothing }}']", "would be empty"),
        ("[sh, -c, 'dd if=/dev/zero of=big bs=1M count=64 2>&1 || exit 4']", "it ended with 4"),
        ("[sh, -c, 'ulimit -v; exit 5']", "it ended with 5\n65536"),
    ],
)
def test_commands_that_must_not_work(bench: Bench, command: str, words: str) -> None:
    bench.programs = (Path("/bin/sh"), Path("/bin/echo"))
    limits = "dry_run: false\ntimeout: 500ms\nmemory_bytes: 67108864"
    bench.write(f"kind: command\ncommand: {command}\n{limits}")
    runbooks = bench.make()
    bench.fire(runbooks, evil="--help")
    assert only(runbooks).state is RunState.FAILED
    assert words in only(runbooks).output


def test_commands_see_nothing_of_ours(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_OURS", "hush")
    bench.programs = (Path("/usr/bin/env"),)
    bench.write("kind: command\ncommand: [env]\ndry_run: false")
    runbooks = bench.make()
    bench.fire(runbooks)
    assert "SWARMSCOPE_ALERT=Down" in only(runbooks).output
    assert "hush" not in only(runbooks).output


def test_what_a_command_leaves_behind_is_ended(bench: Bench, tmp_path: Path) -> None:
    bench.programs = (Path("/bin/sh"),)
    marker = tmp_path / "still-there"
    bench.write(f"kind: command\ncommand: [sh, -c, '(sleep 0.4; touch {marker}) &']\ndry_run: false")
    runbooks = bench.make()
    bench.fire(runbooks)
    assert only(runbooks).state is RunState.DONE
    time.sleep(0.6)
    assert not marker.exists()


def test_programs_need_their_whole_path(bench: Bench) -> None:
    bench.programs = (Path("sh"),)
    with pytest.raises(ValueError, match="whole path"):
        bench.make()


def test_signals_reach_an_agent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SIGNALS_OF_TEST", "shared")
    signals = AgentSignals("shared", "r 1")
    with SignalServer(signals) as server:
        said = (
            f"kind: signal\nsignal: pause\nurl: http://127.0.0.1:{server.port}/\nagent: '{{{{ .Labels.agent_name }}}}'"
        )
        bench.write(f"{said}\nsecret: {{env: SIGNALS_OF_TEST}}\ndry_run: false\nrate_limit: {{runs: 9}}")
        runbooks = bench.make()
        bench.fire(runbooks)
        assert only(runbooks).output == '200 OK\n{"message": "pause taken"}'
        assert signals.is_paused
        monkeypatch.setenv("SIGNALS_OF_TEST", "another")
        runbooks.request("default", "fix", "act", {"agent_name": "r 1"}, "me")
        assert runbooks.runs("default")[0].output.startswith("401 Unauthorized")


def test_silences(bench: Bench) -> None:
    bench.write("kind: silence\nmatchers: ['agent_name=\"{{ .Labels.agent_name }}\"']\nduration: 30m\ndry_run: false")
    runbooks = bench.make()
    bench.fire(runbooks, agent_name='r"1')
    [request] = bench.silences
    assert [(m.name, m.value) for m in request.matchers] == [("agent_name", 'r"1')]
    assert request.ends_ns - request.starts_ns == 1800 * NS
    assert only(runbooks).output == "silence s-1"


def test_no_silence_fits_everything(bench: Bench) -> None:
    bench.write("kind: silence\nmatchers: ['alertname=~\".*\"']\ndry_run: false")
    runbooks = bench.make()
    bench.fire(runbooks)
    assert only(runbooks).output == "the silence would fit every alert"
    assert not bench.silences


def test_preconditions(bench: Bench, server: Answering) -> None:
    query = 'agi_agent_status{agent_name="{{ .Labels.agent_name }}"} == 6'
    when = f"when: {{matchers: ['severity=\"critical\"'], query: '{query}'}}"
    bench.write(HTTP.format(port=server.port) + f"dry_run: false\nrate_limit: {{runs: 9}}\n{when}")
    runbooks = bench.make()
    bench.fire(runbooks, severity="warning")
    assert (only(runbooks).state, bench.asked) == (RunState.SKIPPED, [])
    bench.fire(runbooks, severity="critical", agent_name='a"b')
    assert bench.asked == [("default", 'agi_agent_status{agent_name="a\\"b"} == 6')]
    assert runbooks.runs("default")[0].state is RunState.DONE
    bench.answer = False
    bench.fire(runbooks, severity="critical", agent_name="c")
    assert runbooks.runs("default")[0].state is RunState.SKIPPED
    assert len(server.requests) == 1


def test_rate_limits_last_over_restarts(bench: Bench, server: Answering) -> None:
    bench.write(HTTP.format(port=server.port) + "dry_run: false\nrate_limit: {runs: 2, per: 10m, by: [agent_name]}")
    runbooks = bench.make()
    for why in "abc":
        bench.fire(runbooks, why=why)
    assert [run.state for run in runbooks.runs("default")] == [RunState.LIMITED, RunState.DONE, RunState.DONE]
    bench.fire(runbooks, agent_name="other")
    assert runbooks.runs("default")[0].state is RunState.DONE
    runbooks = bench.make()
    bench.fire(runbooks, why="d")
    assert runbooks.runs("default")[0].state is RunState.LIMITED
    bench.clock.move(601)
    bench.fire(runbooks, why="e")
    assert runbooks.runs("default")[0].state is RunState.DONE


def test_approval(bench: Bench, server: Answering) -> None:
    bench.write(HTTP.format(port=server.port) + "dry_run: false\napproval: required\nrate_limit: {runs: 9}")
    runbooks = bench.make()
    for why in "abc":
        bench.fire(runbooks, why=why)
    third, second, first = runbooks.runs("default")
    assert {first.state, second.state, third.state} == {RunState.WAITING}
    assert server.requests == []
    again = bench.make()  # what waits goes on waiting after a restart
    again.approve("default", first.id, "ann")
    assert (again.run("default", first.id).state, again.run("default", first.id).approved_by) == (RunState.DONE, "ann")
    again.refuse("default", second.id, "bob", "not now")
    assert again.run("default", second.id).output == "refused by bob: not now"
    with pytest.raises(RunStateError, match="waits for nobody"):
        again.approve("default", second.id, "ann")
    with pytest.raises(UnknownRunError):
        again.approve("elsewhere", third.id, "ann")
    bench.clock.move(3601)
    again.tick()
    assert again.run("default", third.id).output == "nobody approved it in time"
    assert len(server.requests) == 1


def test_what_was_approved_is_what_is_done(bench: Bench, server: Answering) -> None:
    bench.write(HTTP.format(port=server.port) + "dry_run: false\napproval: required")
    runbooks = bench.make()
    bench.fire(runbooks)
    run = only(runbooks)
    bench.write(HTTP.format(port=server.port).replace("/restart/", "/destroy/") + "dry_run: false\napproval: required")
    runbooks.reload()
    runbooks.approve("default", run.id, "ann")
    assert only(runbooks).output == "what it would do is not what was approved"
    assert server.requests == []


def test_runs_that_were_interrupted_are_not_begun_again(bench: Bench, server: Answering) -> None:
    bench.write(HTTP.format(port=server.port) + "dry_run: false")
    runbooks = bench.make()
    bench.fire(runbooks)
    [record] = bench.state.records["runbook_run"].values()
    key = only(runbooks).id
    bench.state.records["runbook_run"][key] = record.replace(b'"done"', b'"running"')
    again = bench.make()
    assert only(again).state is RunState.INTERRUPTED
    bench.fire(again)
    assert len(server.requests) == 1


def test_what_cannot_be_recorded_is_not_done(bench: Bench, server: Answering) -> None:
    bench.write(HTTP.format(port=server.port) + "dry_run: false")
    runbooks = bench.make()
    bench.state.is_down = True
    bench.fire(runbooks)
    assert server.requests == []
    assert only(runbooks).output == "it cannot be recorded, so it is not done"


def test_everything_can_be_made_dry(bench: Bench, server: Answering) -> None:
    bench.dry_run_only = True
    bench.write(HTTP.format(port=server.port) + "dry_run: false")
    runbooks = bench.make()
    bench.fire(runbooks)
    assert runbooks.request("default", "fix", "act", {}, "me", dry_run=False).state is not RunState.DONE
    assert server.requests == []


def test_actions_for_the_end(bench: Bench, server: Answering) -> None:
    bench.write(HTTP.format(port=server.port) + "dry_run: false\non: resolved")
    runbooks = bench.make()
    bench.fire(runbooks)
    assert runbooks.runs("default") == []
    bench.fire(runbooks, is_over=True)
    assert only(runbooks).phase == "resolved"


def test_alerts_name_their_runbook(bench: Bench, server: Answering) -> None:
    bench.write(HTTP.format(port=server.port), head="")
    runbooks = bench.make()
    bench.fire(runbooks)
    assert runbooks.runs("default") == []
    bench.fire(runbooks, runbook="fix")
    assert only(runbooks).runbook == "fix"
    assert runbooks.advice([({"runbook": "fix"}, {})]) == ("fix", "Fix it: act (http)")
    assert runbooks.advice([({}, {"action": "call somebody"})]) == ("", "call somebody")


def test_whoever_hands_in_alerts_does_not_wait(bench: Bench, server: Answering) -> None:
    server.wait_s = 0.5
    bench.write(HTTP.format(port=server.port) + "dry_run: false\nrate_limit: {runs: 9}")
    runbooks = bench.make()
    now_ns = bench.clock.ns
    with runbooks.working():
        began_s = time.monotonic()
        for why in "abcd":
            runbooks.take_alerts([Alert({"alertname": "Down", "why": why}, {}, now_ns, now_ns + NS * 300, now_ns)])
        assert time.monotonic() - began_s < 0.1
        deadline_s = time.monotonic() + 5
        while len(runbooks.runs("default", state="done")) < 4 and time.monotonic() < deadline_s:
            time.sleep(0.02)
    assert len(server.requests) == 4


def test_files_are_read_again(bench: Bench, server: Answering) -> None:
    runbooks = bench.make()
    assert runbooks.loaded.runbooks == {}
    bench.write(HTTP.format(port=server.port))
    runbooks.tick()
    assert sorted(runbooks.loaded.runbooks) == ["fix"]


def test_unknown_things_are_told(bench: Bench, server: Answering) -> None:
    bench.write(HTTP.format(port=server.port))
    runbooks = bench.make()
    with pytest.raises(UnknownRunError, match="no runbook 'x'"):
        runbooks.request("default", "x", "act", {}, "me")
    with pytest.raises(UnknownRunError, match="no action 'y'"):
        runbooks.request("default", "fix", "y", {}, "me")
