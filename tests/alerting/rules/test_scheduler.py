"""Rules over the real store: by event and by interval, over restarts, beside rules that fail."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from swarmscope.alerting.placed_yaml import BadFileError
from swarmscope.alerting.rules.view import RuleHealth
from swarmscope.model.alerts import AlertPhase
from tests.alerting.rules.live_rules import LiveRules

Open = Callable[..., LiveRules]


@pytest.fixture
def open_rules(tmp_path: Path) -> Iterator[Open]:
    opened: list[LiveRules] = []

    def open_(rules: str | None = None, **settings: int) -> LiveRules:
        (tmp_path / "rules").mkdir(exist_ok=True)
        if rules is not None:
            (tmp_path / "rules" / "r.yml").write_text(rules)
        live = LiveRules(tmp_path, **settings)
        opened.append(live)
        live.rules.start()
        return live

    yield open_
    for live in opened:
        live.close()


def until(true: Callable[[], object], what: str) -> None:
    end_s = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end_s, what
        time.sleep(0.02)


DOWN = """
groups:
- name: g
  rules:
  - alert: Down
    expr: up == 0
    labels: {severity: critical}
    annotations: {summary: "{{ $labels.job }} is {{ $value }}"}
  - record: job:up:count
    expr: count by (job) (up)
  - alert: Broken
    expr: up / on (job) group_left () nobody * on () up
  - alert: Divided
    expr: sum(up) / 0 > 5
"""


def test_an_alert_leaves_when_its_sample_comes_in(open_rules: Open):
    live = open_rules(DOWN)
    live.write("up", 1, job="a")
    live.write("up", 0, job="b")
    heard = live.heard.wait_for(lambda alerts: "Down" in [alert.name for alert in alerts])
    down = next(alert for alert in heard if alert.name == "Down")
    assert down.labels == {"alertname": "Down", "job": "b", "severity": "critical", "site": "lab"}
    assert down.annotations == {"summary": "b is 0"}
    assert down.generator_url == "http://here/graph?g0.expr=up+%3D%3D+0&g0.tab=1"
    assert not down.is_resolved(time.time_ns())
    until(lambda: live.query("job:up:count") == {
        (("__name__", "job:up:count"), ("job", "a")): 1.0, (("__name__", "job:up:count"), ("job", "b")): 1.0
    }, "the recorded series")  # fmt: skip
    assert live.query('ALERTS{alertname="Down"}') == {
        (("__name__", "ALERTS"), ("alertname", "Down"), ("alertstate", "firing"), ("job", "b"),
         ("severity", "critical")): 1.0
    }  # fmt: skip
    since_s = live.query('ALERTS_FOR_STATE{alertname="Down"}')
    assert abs(next(iter(since_s.values())) - time.time()) < 60
    live.write("up", 1, job="b")
    heard = live.heard.wait_for(lambda alerts: any(alert.is_resolved(time.time_ns()) for alert in alerts))
    assert heard[-1].name == "Down"
    # Its series ends with it.
    until(lambda: live.query('ALERTS{alertname="Down"}') == {}, "the end of ALERTS")


def test_a_rule_that_fails_is_told_and_costs_the_others_nothing(open_rules: Open):
    live = open_rules(DOWN + "  - alert: Same\n    expr: up\n    labels: {job: x}\n")
    for job in "ab":
        live.write("up", 0, job=job)
    live.heard.wait_for(lambda alerts: len(alerts) >= 2)
    until(lambda: live.rules.groups()[0].rules[-1].health == RuleHealth.ERROR, "an error")
    (group,) = live.rules.groups()
    same = group.rules[-1]
    assert "vector contains metrics with the same labelset after applying alert labels" in same.last_error
    assert group.rules[0].health == RuleHealth.OK
    assert group.rules[0].phase == AlertPhase.FIRING
    assert len(group.rules[0].alerts) == 2


def test_waiting_goes_on_over_a_restart_and_ends_in_time(open_rules: Open):
    rules = DOWN.replace("    expr: up == 0\n", "    expr: up == 0\n    for: 4s\n")
    live = open_rules(rules)
    live.write("up", 0, job="a")
    until(lambda: live.query('ALERTS{alertstate="pending"}'), "a pending alert")
    began_s = time.time()
    live.close()
    live = open_rules()
    heard = live.heard.wait_for(lambda alerts: "Down" in [alert.name for alert in alerts])
    # The wait began before the restart.
    assert 3.0 <= heard[-1].starts_ns / 1e9 - began_s + 1 <= 30
    (group,) = live.rules.groups()
    (alert,) = group.rules[0].alerts
    assert alert.fired_ms - alert.active_ms >= 4_000
    assert alert.active_ms / 1000 <= began_s + 1


def test_what_was_told_is_not_told_anew_after_a_restart(open_rules: Open):
    live = open_rules(DOWN)
    live.write("up", 0, job="a")
    (first, *_) = live.heard.wait_for(lambda alerts: "Down" in [alert.name for alert in alerts])
    live.close()
    live = open_rules()
    until(lambda: live.rules.groups()[0].rules[0].evaluated_ms, "an evaluation")
    assert "Down" not in live.heard.names()
    (alert,) = live.rules.groups()[0].rules[0].alerts
    assert alert.fired_ms * 1_000_000 == first.starts_ns


def test_composite_alerts_follow_at_once(open_rules: Open):
    live = open_rules(
        DOWN
        + """
  - alert: Slow
    expr: latency > 1
  - alert: Both
    composite: {operator: and, alerts: [Down, Slow], within: 1h, on: [job]}
"""
    )
    live.write("latency", 5, job="a")
    live.write("up", 0, job="b")
    live.heard.wait_for(lambda alerts: {"Slow", "Down"} <= {alert.name for alert in alerts})
    live.write("up", 0, job="a")
    heard = live.heard.wait_for(lambda alerts: "Both" in [alert.name for alert in alerts])
    assert [dict(alert.labels) for alert in heard if alert.name == "Both"] == [
        {"alertname": "Both", "job": "a", "site": "lab"}
    ]


def test_files_are_read_again_and_broken_ones_leave_the_old_rules(open_rules: Open, tmp_path: Path):
    live = open_rules(DOWN)
    live.write("up", 0, job="a")
    live.heard.wait_for(lambda alerts: "Down" in [alert.name for alert in alerts])
    file = tmp_path / "rules" / "r.yml"
    file.write_text(DOWN.replace("expr: up == 0", "expr: up =="))
    with pytest.raises(BadFileError, match=r"r.yml:6:11: group 'g', rule 1 \('Down'\): could not parse expression"):
        live.rules.reload()
    assert live.rules.groups()[0].rules[0].phase == AlertPhase.FIRING
    assert len(live.rules.problems()) == 1
    # By itself, when the file changes: the rule that is gone ends its alert.
    file.write_text("groups: []")
    os.utime(file, ns=(1, 1))
    heard = live.heard.wait_for(lambda alerts: alerts[-1].is_resolved(time.time_ns()))
    assert heard[-1].name == "Down"
    assert live.rules.groups() == []
    assert live.rules.problems() == ()


def test_changes_are_kept_as_lines(open_rules: Open):
    from swarmscope.query.logql.engine import LogqlEngine
    from swarmscope.query.logql.metric_queries import MetricRequest

    live = open_rules(DOWN)
    live.write("up", 0, job="a")
    live.heard.wait_for(lambda alerts: "Down" in [alert.name for alert in alerts])
    asked = 'sum by (alert_state) (count_over_time({service_name="swarmscope"} | event_name="alert.state" [1h]))'

    def states() -> dict[str, float]:
        now_ns = time.time_ns() + 1_000_000_000
        found = LogqlEngine(live.store.log_reader).query_metrics(MetricRequest(asked, now_ns, now_ns)).result
        texts = [found.symbols.text(int(code)) for code in found.labels.codes[0]] if found.labels.n_series else []
        return dict(zip(texts, found.values[:, 0].tolist(), strict=True))

    until(lambda: states() == {"pending": 1.0, "firing": 1.0}, "two lines")


def test_a_group_that_is_slow_delays_no_other(open_rules: Open):
    other = "- name: h\n  rules:\n  - {alert: Late, expr: up == 0}\n"
    live = open_rules(DOWN + other)
    until(lambda: all(group.evaluated_ms for group in live.rules.groups()), "the first evaluation")
    slow = next(group for key, group in live.rules._groups.items() if key.endswith(";g"))
    goes_on, evaluate = threading.Event(), slow.evaluate
    slow.evaluate = lambda *arguments: goes_on.wait(30) and evaluate(*arguments)
    try:
        live.write("up", 0, job="a")
        live.heard.wait_for(lambda alerts: "Late" in [alert.name for alert in alerts])
        live.write("up", 0, job="b")
        live.heard.wait_for(lambda alerts: {"a", "b"} <= {alert.labels.get("job") for alert in alerts})
        assert "Down" not in live.heard.names()
    finally:
        goes_on.set()
    # What came in meanwhile is looked at then.
    live.heard.wait_for(lambda alerts: sum(alert.name == "Down" for alert in alerts) == 2)


def test_the_clock_goes_on_when_who_is_told_fails(open_rules: Open):
    live = open_rules(DOWN)
    take = live.heard.take_alerts
    failed = threading.Event()

    def fail(alerts: object) -> None:
        failed.set()
        raise ValueError("a defect")

    live.heard.take_alerts = fail  # type: ignore[method-assign, assignment]
    live.write("up", 0, job="a")
    assert failed.wait(30)
    live.heard.take_alerts = take  # type: ignore[method-assign]
    live.write("up", 0, job="b")
    live.heard.wait_for(lambda alerts: {"a", "b"} == {alert.labels["job"] for alert in alerts})


def test_nothing_is_kept_of_rules_that_are_gone(open_rules: Open, tmp_path: Path):
    live = open_rules(DOWN)
    live.write("up", 0, job="a")
    until(lambda: live.state.load("rule_alert"), "a record")
    (tmp_path / "rules" / "r.yml").write_text("groups: []")
    live.rules.reload()
    assert live.state.load("rule_alert") == {}
