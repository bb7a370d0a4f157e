"""Packs: what they hold, and what they say of series made up for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from swarmscope.alerting.rules.rule_checks import Lint, find_lint
from swarmscope.alerting.rules.rule_export import export_rules
from swarmscope.alerting.rules.rule_files import load_file, load_rules
from swarmscope.alerting.rules.rules import AlertingRule
from swarmscope.alerting.rules.unit_tests import run_unit_tests
from swarmscope.dashboards.packs.packs import PACK_NAMES, pack_path
from tests.alerting.rules.promtool import ask_promtool, needs_promtool

TESTS = {path.name: path for path in sorted(Path(__file__).parent.glob("*.test.yml"))}


def test_the_pack_agi_holds_seven_rules():
    (group,) = load_file(pack_path("agi"))
    told = [(rule.name, rule.expr, rule.for_ms // 1000, rule.labels) for rule in group.rules
            if isinstance(rule, AlertingRule)]  # fmt: skip
    assert told == [
        ("high_consciousness_spike", "rate(agi_consciousness_phi[1m]) > 0.1", 30, {"severity": "warning"}),
        ("consciousness_instability", "stddev_over_time(agi_consciousness_phi[5m]) > 0.2", 120,
         {"severity": "critical"}),
        ("agent_coordination_failure", "agi_agent_coordination_score < 0.5", 300, {"severity": "error"}),
        ("agent_deadlock", "rate(agi_agent_activity_total[5m]) == 0", 120, {"severity": "critical"}),
        ("memory_pressure", "agi_memory_usage_bytes / agi_memory_limit_bytes > 0.9", 300, {"severity": "warning"}),
        ("value_alignment_drift", "agi_value_alignment_score < 0.8", 60, {"severity": "critical"}),
        ("mesa_optimization_detected", "agi_mesa_optimization_probability > 0.7", 30, {"severity": "critical"}),
    ]  # fmt: skip
    assert len(group.rules) == len(told)


@pytest.mark.parametrize("name", PACK_NAMES)
def test_packs_are_right(name: str):
    assert name in {test.partition(".")[0] for test in TESTS}
    assert find_lint(load_file(pack_path(name)), frozenset(Lint)) == []


def test_an_unknown_pack_is_refused():
    with pytest.raises(ValueError, match="there are agi, fleet, self"):
        pack_path("../agi")


@pytest.mark.parametrize("name", TESTS)
def test_packs_say_what_they_should(name: str):
    assert run_unit_tests(TESTS[name]).failures == []


@needs_promtool
def test_promtool_takes_packs_and_what_is_exported_of_them(tmp_path: Path):
    answers = ask_promtool(("test", "rules"), TESTS)
    assert [name for name, text in answers.items() if "SUCCESS" not in text] == [], answers
    text, left_out = export_rules(load_rules(map(pack_path, PACK_NAMES)).groups)
    assert left_out == []
    (tmp_path / "all.yml").write_text(text, "utf-8")
    paths = {name: pack_path(name) for name in PACK_NAMES} | {"all": tmp_path / "all.yml"}
    checked = ask_promtool(("check", "rules"), paths)
    assert [name for name, text in checked.items() if "SUCCESS" not in text] == [], checked
