"""Which rules a commit concerns. Metric k of the catalogue by hand has the series 10 k to 10 k + 9."""

from __future__ import annotations

import numpy as np
import pytest

from swarmscope.alerting.rules.rule_files import parse_rules
from swarmscope.alerting.rules.triggers import RuleAt, SeriesNames, Triggers

METRICS = ["up", "down", "ALERTS", "ALERTS_FOR_STATE", "job:up", "other"]


class Watched:
    def __init__(self, *rules: str) -> None:
        self.woken = 0
        names = SeriesNames(lambda refs: (refs // 10).astype(np.uint32), METRICS.__getitem__)
        self.triggers = Triggers(names, self._wake)
        self.watch(*rules)

    def watch(self, *rules: str) -> None:
        text = "groups:\n- name: g\n  rules:\n" + "".join(f"  - {{{rule}}}\n" for rule in rules)
        (group,) = parse_rules(text, "r.yml")
        self.triggers.watch({RuleAt("g", at): rule for at, rule in enumerate(group.rules)})

    def _wake(self) -> None:
        self.woken += 1

    def commit(self, *metrics: str) -> list[int]:
        self.triggers.metrics_committed(np.array([10 * METRICS.index(metric) + 3 for metric in metrics]))
        return sorted(rule.position for rule in self.triggers.take())


UP, ANY = "alert: A, expr: 'rate(up{job=\"x\"}[5m]) / down > 1'", "alert: B, expr: '{__name__=~\"up|o.*\"} > 1'"
NAMELESS, RECORD = "alert: C, expr: 'count({job=\"x\"}) > 1'", "record: 'job:up', expr: 'sum(up) or job:up offset 5m'"
META = "alert: D, expr: 'count(ALERTS) > 5'"


@pytest.mark.parametrize(
    ("metric", "positions"),
    [("up", [0, 1, 2, 3]), ("down", [0, 2]), ("other", [1, 2]), ("job:up", [2]), ("ALERTS", []),
     ("ALERTS_FOR_STATE", [])],
)  # fmt: skip
def test_rules_are_found_by_name_and_pattern_and_never_by_what_they_write(metric: str, positions: list[int]):
    watched = Watched(UP, ANY, NAMELESS, RECORD, META)
    assert watched.commit(metric) == positions
    assert watched.commit(metric) == positions


def test_commits_add_up_until_they_are_taken():
    watched = Watched(UP, ANY)
    watched.triggers.metrics_committed(np.array([53, 53, 5000]) % 60)
    assert watched.commit("down") == [0, 1]
    assert watched.commit() == []


def test_series_that_nobody_reads_wake_nobody():
    watched = Watched(UP)
    watched.commit("other")
    assert watched.woken == 1  # nothing was known of it
    watched.commit("other", "other")
    assert watched.woken == 1
    watched.commit("up", "other")
    assert watched.woken == 2
    # Other rules look anew.
    watched.watch(ANY)
    assert watched.commit("other") == [0]


def test_lines_and_spans_have_rules_of_their_own():
    watched = Watched(
        "alert: L, expr: 'sum(count_over_time({a=\"b\"}[1m])) > 1', kind: logql",
        "alert: T, expr: '{ status = error } | rate()', kind: traceql",
    )
    assert watched.commit("up") == []
    watched.triggers.logs_committed(np.array([1]))
    assert watched.commit() == [0]
    watched.triggers.spans_committed()
    assert watched.commit() == [1]
    assert watched.woken == 2
