from __future__ import annotations

from pathlib import Path

import pytest

from swarmscope.alerting.placed_yaml import BadFileError
from swarmscope.alerting.runbooks.runbook_files import load_runbooks, parse_runbook

WHOLE = """---
title: Restart it
alerts: ['alertname="AgentFinding", kind=~"crash|deadlock"']
actions:
  - name: restart
    kind: signal
    signal: restart
    url: http://127.0.0.1:4700/
    agent: '{{ .Labels.agent_name }}'
    secret: {env: SIGNALS}
    rate_limit: {runs: 2, per: 1h, by: [agent_name]}
    dry_run: no
    approval: required
---
# What to do

Look first.
"""


def problems(text: str) -> list[str]:
    with pytest.raises(BadFileError) as caught:
        parse_runbook(text, "x.md")
    return [str(problem) for problem in caught.value.problems]


def with_action(lines: str) -> str:
    return "---\nactions:\n  - name: a\n" + "".join(f"    {line}\n" for line in lines.splitlines()) + "---\nText\n"


def test_all_is_read() -> None:
    runbook = parse_runbook(WHOLE, "folder/restart-agent.md")
    assert (runbook.name, runbook.title) == ("restart-agent", "Restart it")
    assert runbook.text == "# What to do\n\nLook first.\n"
    [action] = runbook.actions
    assert (action.dry_run, action.approval, action.rate_limit.per, action.timeout) == (
        False,
        "required",
        3_600_000,
        10_000,
    )
    assert runbook.action("restart") is action
    assert runbook.action("other") is None


def test_plain_markdown_is_a_runbook_without_actions() -> None:
    runbook = parse_runbook("# Breathe\n\nThen look.\n", "calm.md")
    assert (runbook.name, runbook.title, runbook.actions) == ("calm", "Breathe", ())


def test_dry_runs_are_the_default() -> None:
    runbook = parse_runbook(with_action("kind: http\nurl: https://a.example/x"), "x.md")
    assert runbook.actions[0].dry_run
    assert runbook.actions[0].approval == "none"


@pytest.mark.parametrize(
    ("lines", "place", "words"),
    [
        ("kind: dance", "4:11", "kind"),
        ("kind: http", "3:5", "needs 'url'"),
        ("kind: http\nurl: ftp://a/", "5:10", "no http or https URL"),
        ("kind: http\nurl: 'http://{{ .Labels.host }}/'", "5:10", "host of a URL"),
        ("kind: http\nurl: http://me:word@a/", "5:10", "password"),
        ("kind: http\nurl: 'http://a/{{ .Labels'", "5:10", "url"),
        ("kind: http\nurl: http://a/\nshell: yes", "6:12", "field shell is not known"),
        ("kind: command\ncommand: ['{{ .Labels.x }}']", "3:5", "without a template"),
        ("kind: command\ncommand: []", "3:5", "needs 'command'"),
        ("kind: signal\nsignal: pause\nurl: http://a/\nagent: x", "3:5", "needs 'secret'"),
        ("kind: signal\nsignal: kill\nurl: http://a/\nagent: x\nsecret: {env: A}", "5:13", "signal"),
        ("kind: silence\nmatchers: ['a=\"b\"']\nwhen: {matchers: ['=b']}", "6:23", ""),
        ("kind: silence\nmatchers: ['a=\"b\"']\nwhen: {query: 'sum('}", "6:19", ""),
        ("kind: http\nurl: http://a/\nsecret: {env: A, file: b}", "6:13", "one of both"),
        ("kind: http\nurl: http://a/\nheaders: {'a b': c}", "3:5", "no name of a header"),
        ("kind: http\nurl: http://a/\ndry_run: maybe", "6:14", "neither true nor false"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_place(lines: str, place: str, words: str) -> None:
    [problem] = problems(with_action(lines))
    assert problem.startswith(f"x.md:{place}: ")
    assert words in problem


def test_front_matter_that_does_not_end() -> None:
    assert problems("---\ntitle: x\n") == ["x.md:1:1: the front matter does not end with a line '---'"]


def test_a_broken_file_leaves_the_old_runbook(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# First\n")
    (tmp_path / "b.md").write_text("---\nname: a\n---\n")
    first = load_runbooks(tmp_path)
    assert sorted(first.runbooks) == ["a"]
    assert "is called a too" in str(first.problems[0])
    (tmp_path / "a.md").write_text("---\nname: [\n---\n")
    (tmp_path / "b.md").write_text("# B\n")
    second = load_runbooks(tmp_path, first)
    assert {name: each.title for name, each in second.runbooks.items()} == {"a": "First", "b": "B"}
    assert [problem.file for problem in second.problems] == [str(tmp_path / "a.md")]
    assert load_runbooks(tmp_path / "none").problems == ()
    assert "this is no folder" in str(load_runbooks(tmp_path / "a.md").problems[0])
