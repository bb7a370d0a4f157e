"""Processes that end without a word: what was acknowledged is looked at by the next one, and nothing twice."""

from __future__ import annotations

import random
from pathlib import Path

from tests.fleet.watched import NS, PRICED, START_NS, Watched, span

from swarmscope.model.fleet import EdgeMeasure, UsageMeasure
from swarmscope.testing.plain_spans import PlainSpan

LATER_NS = START_NS + 3600 * NS


def totals(watched: Watched) -> tuple[dict[str, float], dict[tuple[str, str], float], float]:
    """Spans by agent, interactions by pair, and the money."""
    usage = watched.view.usage("t", 0, LATER_NS, ("agent",)).usage
    edges = watched.view.edges("t", 0, LATER_NS).edges
    text = watched.vocabulary.text
    spans = {text(int(code)): float(row[UsageMeasure.SPANS])
             for code, row in zip(usage.agent, usage.measures, strict=True)}  # fmt: skip
    pairs = {(text(int(a)), text(int(b))): float(row[EdgeMeasure.COUNT])
             for a, b, row in zip(edges.source, edges.target, edges.measures, strict=True)}  # fmt: skip
    return spans, pairs, round(float(usage.measures[:, UsageMeasure.COST_USD].sum()), 6)


def team(trace: int, at_s: float) -> list[PlainSpan]:
    """Seven spans: boss calls a and b, who ask models."""
    told = [span(1, "invoke_agent", agent="boss", trace=trace, at_s=at_s, took_s=5)]
    for number, name in ((2, "a"), (3, "b")):
        told.append(span(number, trace=trace, parent=1, at_s=at_s))
        told.append(span(10 + number, "invoke_agent", agent=name, trace=trace, parent=number, at_s=at_s))
        told.append(span(20 + number, "chat", model="m", trace=trace, parent=10 + number, at_s=at_s, **PRICED))
    return told


def test_nothing_is_lost_and_nothing_counts_twice_whenever_the_process_ends(tmp_path: Path) -> None:
    n_traces = 30
    for seed in range(4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        watched, chance = Watched(folder), random.Random(seed)
        spans = [each for trace in range(1, n_traces + 1) for each in team(trace, trace * 0.5)]
        chance.shuffle(spans)
        while spans:
            n = chance.randint(1, 12)
            watched.send(*spans[:n])
            spans = spans[n:]
            match chance.randint(0, 5):
                case 0:
                    watched.again()  # killed; also before anything of it was looked at
                    watched.watch.recover()
                case 1:
                    watched.run(11, 1)
                case _:
                    watched.step(0.3)
        watched.run(12)
        assert totals(watched) == (
            {"boss": n_traces, "a": 2.0 * n_traces, "b": 2.0 * n_traces},
            {("boss", "a"): n_traces, ("boss", "b"): n_traces},
            0.5 * n_traces,
        ), seed
        # And in the store alone.
        watched.again()
        assert totals(watched)[0] == {"boss": n_traces, "a": 2.0 * n_traces, "b": 2.0 * n_traces}


def test_history_that_somebody_loads_is_found_again(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.run(30)
    watched.send(*team(1, -86_400))
    watched.again()
    watched.watch.recover()
    assert totals(watched)[0] == {"boss": 1, "a": 2, "b": 2}


def test_series_do_not_tell_again_what_an_earlier_process_may_have_told(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.send(*team(1, 0))
    watched.run(7)  # published, and not written
    watched.again()
    watched.watch.recover()
    watched.send(*team(2, 5))
    watched.run(12)
    assert watched.last("agi_agent_activity_total", "agent_name")[("boss",)] == 1
    assert totals(watched)[0]["boss"] == 2


def test_what_is_all_written_is_not_read_again(tmp_path: Path) -> None:
    watched = Watched(tmp_path)
    watched.send(*team(1, 0))
    watched.run(300, 10)
    before = watched.spans.spans_read
    watched.again()
    watched.watch.recover()
    assert watched.spans.spans_read == before
