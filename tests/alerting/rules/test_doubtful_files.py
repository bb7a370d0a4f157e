"""A file that was wrong from the beginning: its right rules go on, its wrong ones say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmscope.alerting.placed_yaml import BadFileError
from swarmscope.alerting.rules.view import RuleHealth
from tests.alerting.rules.live_rules import LiveRules

RULES = """
groups:
- name: g
  rules:
  - {alert: Wrong, expr: 'up =='}
  - {alert: Down, expr: up == 0}
"""


def test_right_rules_of_a_wrong_file_go_on(tmp_path: Path):
    (tmp_path / "rules").mkdir()
    file = tmp_path / "rules" / "r.yml"
    file.write_text(RULES)
    live = LiveRules(tmp_path)
    try:
        live.rules.start()
        live.write("up", 0, job="a")
        live.heard.wait_for(lambda alerts: "Down" in [alert.name for alert in alerts])
        wrong = live.rules.groups()[0].rules[0]
        assert (wrong.health, "unexpected end of input" in wrong.last_error) == (RuleHealth.ERROR, True)
        assert len(live.rules.problems()) == 1
        # Half of the way to right.
        file.write_text(RULES.replace("up == 0", "up < 1") + "  - {alert: Worse, expr: ')'}\n")
        with pytest.raises(BadFileError):
            live.rules.reload()
        assert [rule.rule.expr for rule in live.rules.groups()[0].rules] == ["up ==", "up < 1", ")"]  # type: ignore[union-attr]
        # All the way; from here on a wrong file leaves the old rules.
        file.write_text(RULES.replace("'up =='", "up == 5"))
        live.rules.reload()
        file.write_text(RULES)
        with pytest.raises(BadFileError):
            live.rules.reload()
        assert live.rules.groups()[0].rules[0].rule.expr == "up == 5"  # type: ignore[union-attr]
    finally:
        live.close()
