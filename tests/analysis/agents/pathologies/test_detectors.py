"""Each trouble made by hand, and what looks like it and is none."""

from __future__ import annotations

import pytest
from tests.analysis.agents.pathologies.made_windows import CHAT, ERROR, INVOKE, NOW, TOOL, step, window

from swarmscope.analysis.agents.pathologies import detect
from swarmscope.model.agents import InteractionType
from swarmscope.model.fleet import FindingKind as Kind


def kinds(*args, **said) -> set[Kind]:
    return {finding.kind for finding in detect(window(*args, **said))}


def only(kind: Kind, *args, **said):
    (finding,) = [each for each in detect(window(*args, **said)) if each.kind == kind]
    assert 0.6 <= finding.confidence <= 1
    return finding


def repeated(n: int, every: float = 3, **said) -> list[dict]:
    return [
        step("a", NOW - every * (n - at), NOW - every * (n - at) + 2, content=7, tool="search", **said)
        for at in range(n)
    ]


def hops(way: list[str], every: float = 2, **said) -> list[dict]:
    n = len(way) - 1
    return [
        step(way[at], NOW - every * (n - at), NOW - every * (n - at) + 1, target=way[at + 1],
             operation=13, channel=InteractionType.MESSAGE, **said)
        for at in range(n)
    ]  # fmt: skip


def fleet(at: float = NOW - 1) -> list[dict]:
    """Others that go on."""
    return [step(name, at - 1, at, content=hash(name) & 0xFFFF) for name in ("x", "y", "z")]


class TestRepeats:
    def test_six_of_the_same(self):
        finding = only(Kind.REPEAT, repeated(6))
        assert finding.agents == ("a",)
        assert finding.evidence["exact"] == 6
        assert finding.evidence["tool"] == "search"
        assert finding.begin_ns == round((NOW - 18) * 1e9)
        assert finding.confidence == pytest.approx(0.7)

    def test_five_are_not_enough(self):
        assert kinds(repeated(5)) == set()

    def test_nearly_the_same(self):
        rows = repeated(12)
        for at, row in enumerate(rows):
            row |= {"content": 100 + at, "similarity": 0xFF00FF ^ (1 << (at % 3))}
        finding = only(Kind.REPEAT, rows)
        assert finding.evidence["near_exact"] == 12
        assert finding.evidence["exact"] < 6
        for at, row in enumerate(rows):
            row["similarity"] = 0xFF << (5 * at)
        assert kinds(rows) == set()

    def test_two_steps_that_alternate(self):
        rows = [row | {"content": 7 + at % 2} for at, row in enumerate(repeated(14))]
        assert kinds(rows) == {Kind.REPEAT}

    def test_a_poll_every_minute(self):
        assert kinds(repeated(14, every=60)) == set()

    def test_the_same_in_other_runs(self):
        assert kinds([row | {"trace": at + 1} for at, row in enumerate(repeated(20))]) == set()

    def test_short_answers_of_a_classifier(self):
        assert kinds(repeated(20, operation=CHAT, output_tokens=1)) == set()
        assert kinds(repeated(20, operation=CHAT, output_tokens=100)) == {Kind.REPEAT}

    def test_over_long_ago(self):
        assert kinds([row | {"start": row["start"] - 300, "end": row["end"] - 300} for row in repeated(10)]) == set()


class TestCycles:
    def test_ping_pong_with_the_same_content(self):
        finding = only(Kind.PING_PONG, hops(["a", "b"] * 5 + ["a"], content=5))
        assert finding.agents == ("a", "b")
        assert finding.evidence["rounds"] == 5

    def test_review_of_three_rounds(self):
        assert kinds(hops(["writer", "critic"] * 3 + ["writer"], content=5)) == set()

    def test_a_long_talk_with_news_and_work(self):
        rows = hops(["a", "b"] * 10 + ["a"])
        rows = [row | {"content": 50 + at} for at, row in enumerate(rows)]
        work = [step("a", row["start"], row["start"] + 1, content=900 + at) for at, row in enumerate(rows)]
        assert kinds(rows + work) == set()

    def test_three_agents_in_a_circle(self):
        finding = only(Kind.CYCLE, hops(["b", "c", "a"] * 5 + ["b"], content=9))
        assert finding.agents in (("a", "b", "c"), ("b", "c", "a"), ("c", "a", "b"))
        assert finding.evidence["length"] == 3

    def test_nested_calls_that_last(self):
        rows = [
            step("abc"[at % 3], NOW - 60 + at, 0, operation=INVOKE, caller="cab"[at % 3], content=4) for at in range(30)
        ]
        assert only(Kind.CYCLE, opened=rows).evidence["length"] == 3

    def test_a_planner_that_fans_out(self):
        rows = [
            step(
                f"w{at % 3}", NOW - 100 + 3 * at, NOW - 98 + 3 * at, operation=INVOKE, caller="planner", content=at + 1
            )
            for at in range(30)
        ]
        assert kinds(rows) == set()


class TestWaiting:
    @staticmethod
    def waits(*pairs: str, since: float = 60, **said) -> list[dict]:
        return [step(pair[0], NOW - since, 0, target=pair[1], operation=13, **said) for pair in pairs]

    def test_a_circle_of_two_and_of_three(self):
        assert only(Kind.DEADLOCK, fleet(), self.waits("ab", "ba")).agents == ("a", "b")
        finding = only(Kind.DEADLOCK, fleet(), self.waits("ab", "bc", "ca"))
        assert finding.agents == ("a", "b", "c")
        assert finding.confidence == pytest.approx(0.9)  # 30 s are the limit, 60 have passed

    def test_a_chain_is_none(self):
        assert kinds(fleet(), self.waits("ab", "bc")) == set()

    def test_for_a_short_time(self):
        assert kinds(fleet(), self.waits("ab", "ba", since=20)) == set()

    def test_one_does_something_else(self):
        busy = [step("a", NOW - 12, NOW - 10)]
        assert kinds(fleet() + busy, self.waits("ab", "ba")) == set()
        thinking = [step("a", NOW - 40, 0, operation=CHAT)]
        assert kinds(fleet(), self.waits("ab", "ba") + thinking) == set()

    def test_waiting_for_oneself(self):
        assert kinds(fleet(), self.waits("aa")) == set()

    def test_a_call_and_its_long_tool(self):
        call = step("a", NOW - 200, 0, target="b", operation=INVOKE)
        inside = step("b", NOW - 199, 0, operation=INVOKE, caller="a", parent=call["key"])
        tool = step("b", NOW - 198, 0, parent=inside["key"], tool="compile")
        assert kinds(fleet(), [call, inside, tool]) == set()

    def test_starved(self):
        others = [
            step(f"p{at % 2}", NOW - 150 + 5 * at, NOW - 149 + 5 * at, team="t", content=at + 1) for at in range(25)
        ]
        past = [step("b", NOW - 400, NOW - 399, team="t")]
        wait = self.waits("ab", since=200, team="t")
        assert only(Kind.STARVATION, fleet() + others + past, wait).agents == ("b",)
        turn = [step("b", NOW - 30, NOW - 29, team="t")]
        assert kinds(fleet() + others + past + turn, wait) == set()


class TestCrashes:
    def test_no_longer_announced(self):
        finding = only(Kind.CRASH, fleet(), [step("a", NOW - 90, 0, seen=NOW - 45)])
        assert finding.agents == ("a",)
        assert finding.evidence["silent_s"] == 45

    def test_announced(self):
        assert kinds(fleet(), [step("a", NOW - 900, 0, seen=NOW - 9)]) == set()

    def test_asked_and_silent(self):
        past = [step("a", NOW - 80, NOW - 79, content=1)]
        asked = [step("x", NOW - 60, 0, target="a", operation=13)]
        assert only(Kind.CRASH, fleet() + past, asked).agents == ("a",)
        assert kinds(fleet() + past, [*asked, step("a", NOW - 50, 0, operation=CHAT)]) == set()

    def test_started_again_with_spans_left_behind(self):
        left = [step("a", NOW - 190, 0, seen=NOW - 180)]
        later = [step("a", NOW - 60, NOW - 50, content=1)]
        assert kinds(fleet() + later, left) == set()
        # It dies once more: in a span that it had announced, or in none.
        assert only(Kind.CRASH, fleet() + later, [*left, step("a", NOW - 49, 0, seen=NOW - 48)]).agents == ("a",)
        asked = step("x", NOW - 45, 0, target="a", operation=13)
        assert only(Kind.CRASH, fleet() + later, [*left, asked]).agents == ("a",)

    def test_errors_of_one_job_and_then_none_for_as_long_as_before(self):
        jobs = [step("a", NOW - 300 + 50 * (at // 4) + at % 4, NOW - 299 + 50 * (at // 4) + at % 4, content=at + 1)
                for at in range(16)]  # fmt: skip
        failed = [step("a", NOW - 85 + at, NOW - 84 + at, content=90, tool="t", status=ERROR) for at in range(5)]
        assert Kind.CRASH not in kinds(fleet() + jobs + failed)

    def test_everybody_is_silent(self):
        assert kinds(fleet(NOW - 50), [step("a", NOW - 90, 0, seen=NOW - 45)]) == set()

    def test_it_works_on_elsewhere(self):
        assert kinds([*fleet(), step("a", NOW - 5, NOW - 4)], [step("a", NOW - 90, 0, seen=NOW - 45)]) == set()

    def test_idle_at_night(self):
        assert (
            kinds([*fleet(), *[step("a", NOW - 800 + at, NOW - 799 + at, content=at + 1) for at in range(40)]]) == set()
        )

    def test_errors_and_then_nothing(self):
        rows = [step("a", NOW - 200 + at, NOW - 199 + at, content=at + 1) for at in range(20)]
        rows += [step("a", NOW - 180 + at, NOW - 179 + at, content=at + 90, status=ERROR) for at in range(6)]
        assert kinds(fleet() + rows) == {Kind.CRASH}


class TestWork:
    def test_no_progress(self):
        rows = [
            step("ab"[at % 2], NOW - 150 + 3 * at, NOW - 149 + 3 * at, tool=f"t{at % 12}", content=at % 12 + 1)
            for at in range(50)
        ]
        before = [
            row | {"key": f"b{at}", "start": row["start"] - 150, "end": row["end"] - 150} for at, row in enumerate(rows)
        ]
        finding = only(Kind.NO_PROGRESS, before + rows)
        assert finding.agents == ("a", "b")
        assert finding.evidence["new_steps"] == 0
        fresh = [row | {"content": 1000 + at} for at, row in enumerate(before + rows)]
        assert kinds(fresh) == set()

    def test_the_same_step_fails(self):
        finding = only(Kind.RETRY_STORM, repeated(5, status=ERROR, trace=1))
        assert finding.evidence["failures_in_a_row"] == 5
        rows = repeated(12, status=ERROR)
        for at in range(0, 12, 4):
            rows[at]["status"] = 1
        assert kinds(rows) == set()

    def test_far_more_errors_than_before(self):
        before = [
            step("a", NOW - 800 + 3 * at, NOW - 799 + 3 * at, trace=at % 200, content=at + 1) for at in range(200)
        ]
        after = [
            step("a", NOW - 100 + 3 * at, NOW - 99 + 3 * at, trace=at, content=at + 1, status=ERROR * (at % 4 != 0))
            for at in range(30)
        ]
        assert kinds(before + after) == {Kind.RETRY_STORM}
        assert kinds(before) == set()

    def test_two_do_the_same(self):
        said = {"tool": "read", "payload_bytes": 500}
        rows = [
            step(agent, NOW - 50 + 5 * at, NOW - 49 + 5 * at, content=at + 1, trace=trace, **said)
            for at in range(4) for trace, agent in enumerate("ab")
        ]  # fmt: skip
        assert only(Kind.DUPLICATED_WORK, rows).agents == ("a", "b")
        everybody = [
            row | {"agent": f"{row['agent']}{at}", "key": f"e{at}x{n}"} for n, row in enumerate(rows) for at in range(4)
        ]
        assert kinds(everybody) == set()

    def test_slow_model_and_batch(self):
        slow = [step("a", NOW - 400 + 40 * at, NOW - 365 + 40 * at, operation=CHAT, content=at + 1) for at in range(9)]
        batch = [
            step("a", NOW - 20, NOW - 10 + at / 50, trace=at % 200, content=at + 1, tool=f"t{at % 3}")
            for at in range(400)
        ]
        assert kinds(slow) == set()
        assert kinds(batch) == set()


class TestCosts:
    BASE = tuple((ago, "a", 0.02 + 0.01 * (ago % 3), 2) for ago in range(3, 40))

    def test_dearer_calls(self):
        finding = only(Kind.RUNAWAY_COST, usage=[*self.BASE, (0, "a", 1.0, 3), (1, "a", 1.0, 3)])
        assert finding.agents == ("a",)
        assert finding.evidence["base_median_usd"] == pytest.approx(0.09)  # any three minutes in a row

    def test_more_work_is_none(self):
        assert kinds(usage=[*self.BASE, (0, "a", 0.6, 40), (1, "a", 0.6, 40)]) == set()

    def test_absolute(self):
        assert kinds(usage=[(0, "a", 61.0, 3)]) == {Kind.RUNAWAY_COST}

    def test_one_run_takes_most(self):
        calls = [
            step("a", NOW - 60 + at, NOW - 59 + at, operation=CHAT, cost_usd=0.06, trace=1, content=at + 1)
            for at in range(20)
        ]
        usage = [*self.BASE, (0, "a", 0.6, 20), (1, "a", 0.6, 20)]
        assert kinds(calls, usage=usage) == {Kind.RUNAWAY_COST}

    def test_a_run_far_above_others(self):
        rows = [
            step("a", NOW - 500 + at, NOW - 499 + at, operation=CHAT, cost_usd=0.01, trace=at, content=at + 1)
            for at in range(30)
        ]
        rows += [
            step("b", NOW - 40 + at, NOW - 39 + at, operation=CHAT, cost_usd=0.1, trace=99, content=at + 99)
            for at in range(20)
        ]
        finding = only(Kind.RUNAWAY_COST, rows)
        assert finding.agents == ("b",)
        assert finding.evidence["spent_usd"] == pytest.approx(2.0)


def test_nothing_at_all():
    assert detect(window()) == []


def test_the_same_trouble_keeps_its_id():
    first, later = repeated(8), repeated(12)
    assert [each.id for each in detect(window(first))] == [each.id for each in detect(window(later))]


def test_tools_of_one_kind_are_told_apart():
    assert kinds([row | {"tool": f"t{at % 5}"} for at, row in enumerate(repeated(20))]) == set()
    assert TOOL == 9


def test_a_circle_explains_its_costs_also_when_it_is_over():
    usual = [
        step("x", NOW - 500 + at, NOW - 499 + at, operation=CHAT, cost_usd=0.01, conversation=f"c{at}", content=at + 1)
        for at in range(30)
    ]
    talk = hops(["a", "b"] * 10 + ["a"], content=5)
    # It went round until 90 s ago.
    talk = [row | {"start": row["start"] - 90, "end": row["end"] - 90, "conversation": "round"} for row in talk]
    dear = [
        step("a", NOW - 100 + at, NOW - 99 + at, operation=CHAT, cost_usd=2.0, conversation="round", content=70 + at)
        for at in range(4)
    ]
    assert Kind.RUNAWAY_COST in kinds(usual + dear)
    assert Kind.RUNAWAY_COST not in kinds(usual + dear + talk)
