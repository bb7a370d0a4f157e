"""The same samples in Swarmscope and in Debian's Prometheus 2.42 get the same answers, as real processes over HTTP.

Where 3.x answers otherwise than 2.42 stands in `listed_differences`, reason by reason, and has to be different.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import httpx
import pytest

from tests.integration.comparison import Answer, KeptAlive, difference
from tests.integration.generated_queries import Question, generated_questions
from tests.integration.listed_differences import DIFFERENCES, Difference
from tests.integration.peer_data import SPECIAL_SERIES, START_S, TENANT
from tests.integration.processes import PrometheusServer, SwarmscopeServer

pytestmark = [pytest.mark.peer, pytest.mark.slow]

SEED = 42
N_QUESTIONS = 2400
N_REPEATED = 300
HEADERS = {"x-scope-orgid": TENANT}
RENAMED = {"double_exponential_smoothing": "holt_winters"}


class Pair(NamedTuple):
    """Both servers with the samples, and all questions with Prometheus' answers."""

    ours: SwarmscopeServer
    theirs: PrometheusServer
    questions: list[Question]
    expected: list[Answer]


def _ask(server: SwarmscopeServer | PrometheusServer, questions: list[Question]) -> list[Answer]:
    connection = KeptAlive(server, HEADERS, RENAMED if isinstance(server, PrometheusServer) else None)
    try:
        return connection.ask_all(questions)
    finally:
        connection.close()


@pytest.fixture(scope="module")
def pair(loaded_servers: tuple[SwarmscopeServer, PrometheusServer]) -> Iterator[Pair]:
    ours, theirs = loaded_servers
    questions = generated_questions(SEED, N_QUESTIONS)
    with ThreadPoolExecutor(1) as background:
        expected = background.submit(_ask, theirs, questions)
        yield Pair(ours, theirs, questions, expected.result())


def _assert_same(questions: list[Question], ours: list[Answer], theirs: list[Answer]) -> None:
    wrong = []
    for question, mine, peers in zip(questions, ours, theirs, strict=True):
        found = difference(mine, peers, question)
        if found:
            wrong.append(f"{question.parameters()}: {found}")
    assert not wrong, f"{len(wrong)} of {len(questions)} answers differ:\n" + "\n".join(wrong[:20])


def test_the_questions_are_worth_asking(pair: Pair) -> None:
    succeeded = [answer for answer in pair.expected if answer.status == 200]
    filled = [answer for answer in succeeded if answer.body["data"]["result"]]
    assert len(pair.questions) >= 2000
    assert len(filled) > 0.7 * len(pair.questions)
    assert 20 <= len(pair.questions) - len(succeeded) <= 0.1 * len(pair.questions)
    assert {answer.body["data"]["resultType"] for answer in succeeded} >= {"scalar", "vector", "matrix"}


def test_a_wrong_answer_is_noticed(pair: Pair) -> None:
    """The comparison itself can fail: the answers to each other's questions are not the same."""
    same = [
        difference(mine, peers, question) == ""
        for question, mine, peers in zip(pair.questions, pair.expected[1:], pair.expected[:-1], strict=False)
    ]
    assert sum(same) < 0.05 * len(same)


def test_generated_queries(pair: Pair) -> None:
    _assert_same(pair.questions, _ask(pair.ours, pair.questions), pair.expected)


def test_the_same_from_memory_from_parts_and_after_a_restart(pair: Pair) -> None:
    questions, expected = pair.questions[:: N_QUESTIONS // N_REPEATED], pair.expected[:: N_QUESTIONS // N_REPEATED]
    _assert_same(questions, _ask(pair.ours, questions), expected)
    admin = f"{pair.ours.prometheus_api}/api/v1/admin/tsdb"
    # Deleting nothing brings everything into parts and forgets what memory holds of them.
    asked = {"match[]": '{__name__="there_is_no_such_metric"}'}
    assert httpx.post(f"{admin}/delete_series", params=asked, timeout=60).status_code == 204
    _assert_same(questions, _ask(pair.ours, questions), expected)
    pair.ours.restart()
    _assert_same(questions, _ask(pair.ours, questions), expected)


# What is wrong and where, each refused by both in the same words.
MISTAKES = (
    "sum(", "(a", "a)", "a{", "a[5m", "foo bar", "1 2", "sum a", "1 +", "rate(a)", "abs(a[5m])", "abs(1)", "scalar(1)",
    'vector("a")', "sum(1)", 'quantile("a", b)', "count_values(2, b)", "topk(a, b)", "sum_over_time(sum(a))",
    "round(scalar(a) < bool 3, 2)", "abs(abs(ceil(1)))", "1 and 2", "a and 2", "1 or a", "(1 or a) + 1",
    "a + b unless 2", "a or b and 2", "((a) unless (2)) * b", "1 == 1", "1 + 2 > 3 * 4", "a > (1 < 2)", "a + bool b",
    "sum(a) * bool b", "a + on(x) group_left(x) b", "(2)[5m:1m]", "time()[5m:1m]", "max_over_time((1 + 2)[5m:])",
    "a[5m:1m:1s]", "a[0s]", "a[5m:0s]", '-"a"', '"a" + 1', 'a{b="c', "a{b}", "a{b=}", "a{b==1}", "a{b=c}", "a{b 1}",
    'a{b="c" d="e"}', "a{,}", 'a{="b"}', "a offset", "a @ foo", "a group_left b", "sum(a) without",
    "$a", "a;b", "nope(a)", "abs()", "abs(a, b)", "time(1)", "{}", '{a=~".*"}', "", "# nothing",
    "a offset 1m offset 2m", "a[5m] + 1", "a @ 1 @ 2", 'a{__name__="b"}', "1 +\n\n  rate(a)", "é", "abs(1) + abs(2)",
)  # fmt: skip


@pytest.mark.parametrize("text", MISTAKES)
def test_mistakes_are_told_in_the_same_words(pair: Pair, text: str) -> None:
    question = Question(text, 0, START_S * 1000, 0)
    (ours,), (theirs,) = _ask(pair.ours, [question]), _ask(pair.theirs, [question])
    assert (ours.status, ours.body) == (theirs.status, theirs.body)


@pytest.mark.parametrize("listed", DIFFERENCES, ids=lambda listed: listed.query[:60])
def test_listed_differences(pair: Pair, listed: Difference) -> None:
    (ours,) = _ask(pair.ours, [listed.question()])
    theirs = KeptAlive(pair.theirs).ask(listed.question())
    assert _told(ours) == listed.expected
    assert _told(theirs) != listed.expected, f"2.42 says the same; not a difference: {listed.reason}"


def _told(answer: Answer) -> Any:
    """An answer as `Difference.expected` spells it."""
    if answer.status != 200:
        return answer.body["error"]
    data = answer.body["data"]
    if data["resultType"] == "scalar":
        return data["result"][1]
    return [
        (
            {name: value for name, value in row["metric"].items() if name != "job"},
            " ".join(value for _, value in row.get("values", [row.get("value")])),
        )
        for row in data["result"]
    ]


def _extrapolated(samples: list[tuple[float, float]], start_s: float, end_s: float, *, limit_first: bool) -> float:
    """`increase` of a counter without resets; `limit_first` is 2.42's order.

    In 2.42 the way back to zero may shorten the gap before the first sample below the threshold of 1.1 intervals, so
    that it counts in full; 3.x first cuts a gap above the threshold to half an interval.
    """
    (first_s, first), (last_s, last) = samples[0], samples[-1]
    gain, covered_s = last - first, last_s - first_s
    interval_s = covered_s / (len(samples) - 1)
    before_s, after_s = first_s - start_s, end_s - last_s
    to_zero_s = covered_s * first / gain
    if limit_first:
        before_s = min(before_s, to_zero_s)
    if before_s >= 1.1 * interval_s:
        before_s = interval_s / 2
    if not limit_first:
        before_s = min(before_s, to_zero_s)
    if after_s >= 1.1 * interval_s:
        after_s = interval_s / 2
    return gain * (covered_s + before_s + after_s) / covered_s


@pytest.mark.parametrize("end_s", [200, 260, 300, 345])
def test_extrapolation_of_a_counter_that_begins_low(pair: Pair, end_s: int) -> None:
    """From 14 with 20 an interval, zero lies 10.5 s back: between half an interval and the threshold."""
    resumed = next(samples for labels, samples in SPECIAL_SERIES if labels["__name__"] == "resumed_total")
    start_s = end_s - 300
    inside = [(ts / 1000 - START_S, value) for ts, value in resumed if start_s < ts / 1000 - START_S <= end_s]
    question = Question("increase(resumed_total[5m])", 0, (START_S + end_s) * 1000, 0)
    answers = [KeptAlive(server, HEADERS).ask(question) for server in (pair.ours, pair.theirs)]
    ours, theirs = (float(answer.body["data"]["result"][0]["value"][1]) for answer in answers)
    assert math.isclose(ours, _extrapolated(inside, start_s, end_s, limit_first=False), rel_tol=1e-12)
    assert math.isclose(theirs, _extrapolated(inside, start_s, end_s, limit_first=True), rel_tol=1e-12)
    assert ours < theirs, "2.42 says the same; this is no difference any more"
