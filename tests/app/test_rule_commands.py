import pytest
import yaml
from typer.testing import CliRunner

from swarmscope.app.cli import app

GOOD = """
groups:
- name: g
  rules:
  - {alert: Down, expr: up == 0, labels: {severity: page}}
  - {alert: Down, expr: up == 2, labels: {severity: page}}
"""
TESTS = """
rule_files: [good.yml]
tests:
- name: up
  interval: 1m
  input_series: [{series: up, values: '1 0'}]
  alert_rule_test: [{eval_time: 0m, alertname: Down}]
- name: down
  interval: 1m
  input_series: [{series: up, values: '1 0'}]
  alert_rule_test: [{eval_time: 1m, alertname: Down}]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "good.yml").write_text(GOOD)
    (tmp_path / "bad.yml").write_text("groups:\n- name: g\n  rules:\n  - {alert: A, expr: 'sum('}\n")
    (tmp_path / "worse.yml").write_text("groups:\n- name: g\n  rules:\n  - {alert: A, expr: a}\n  - {expr: b}\n")
    (tmp_path / "tests.yaml").write_text(TESTS)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _run(*arguments):
    return CliRunner().invoke(app, ["rules", *arguments])


def test_check_tells_what_is_wrong_and_where(folder):
    ran = _run("check", "good.yml", "bad.yml", "worse.yml")
    assert ran.exit_code == 1
    assert "Checking good.yml" in ran.stdout
    assert "SUCCESS: 2 rules found" in ran.stdout
    wrong = ran.stderr.splitlines()
    assert wrong[1].startswith("bad.yml:4:22: group 'g', rule 1 ('A'): could not parse expression: ")
    assert "worse.yml:5:5: group 'g', rule 2 (''): one of 'record' or 'alert' must be set" in wrong


def test_check_of_what_is_not_there(folder):
    assert _run("check", "nowhere.yml").exit_code == 1
    assert _run("check", "*.rules").exit_code == 1


def test_lint_says_more_and_ends_with_3_where_asked(folder):
    ran = _run("check", "good.yml")
    assert (ran.exit_code, "duplicate rule: 'Down'" in ran.stdout, "severity" in ran.stdout) == (0, True, False)
    assert _run("check", "--lint-fatal", "good.yml").exit_code == 3
    assert _run("check", "--lint-fatal", "--lint", "none", "good.yml").exit_code == 0
    ran = _run("check", "--lint", "severity,summary", "good.yml")
    assert "good.yml:5:5: alert 'Down' has the severity 'page'; there are info, warning, error, critical" in ran.stdout
    assert "alert 'Down' has no annotation summary" in ran.stdout
    assert _run("check", "--lint", "spelling", "good.yml").exit_code == 2


def test_tests_fail_with_1(folder):
    ran = _run("test", "tests.yaml")
    assert (ran.exit_code, ran.stderr.count("alertname: Down, time: 1m")) == (1, 1)
    assert "name: down" in ran.stderr
    ran = _run("test", "--run", "^up$", "tests.yaml")
    assert (ran.exit_code, "SUCCESS" in ran.stdout) == (0, True)
    assert _run("test", "--run", "(", "tests.yaml").exit_code == 2
    assert _run("test", "nowhere.yaml").exit_code == 1


def test_export_writes_one_file(folder):
    ran = _run("export", "good.yml", "--pack", "agi")
    assert ran.exit_code == 0
    assert [group["name"] for group in yaml.safe_load(ran.stdout)["groups"]] == ["g", "agi"]
    assert _run("export", "good.yml", "-o", "out.yml").exit_code == 0
    assert _run("check", "out.yml").exit_code == 0
    assert _run("export", "bad.yml").exit_code == 1
    assert _run("export", "good.yml", "-o", "nowhere/out.yml").exit_code == 1
    assert _run("export").exit_code == 2
    assert _run("export", "--pack", "none").exit_code == 2
