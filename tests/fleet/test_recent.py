"""Recent spans against a plain list."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np

from swarmscope.fleet.recent import RecentSpans
from swarmscope.model.agents import AgentSpans
from swarmscope.model.labels import Utf8Column


def test_the_newest_are_there_in_order_with_all_that_they_say() -> None:
    for seed in range(20):
        chance = random.Random(seed)
        max_spans, max_age_ns = chance.choice((3, 10, 50)), chance.choice((5, 40, 1000))
        recent, now_ns, plain, number = RecentSpans(max_spans, max_age_ns, "t"), 10**6, [], 0
        for _ in range(200):
            now_ns += chance.randint(0, 3)
            n = chance.randint(0, 7)
            ages = [chance.randint(0, 2 * max_age_ns) for _ in range(n)]
            names = [f"c{'x' * chance.randint(0, 30)}{number + row}" for row in range(n)]
            spans = replace(AgentSpans.blank(n), conversation=Utf8Column.from_strings(names))
            spans.end_ns[:] = [now_ns - age for age in ages]
            spans.span_key[:] = np.arange(number, number + n)
            spans.trace_id[:, 0] = np.arange(number, number + n)
            recent.add(spans, np.arange(number, number + n).astype(np.uint32), now_ns)
            plain += [(now_ns, number + row, names[row]) for row in range(n) if ages[row] < max_age_ns]
            number += n
            if chance.random() < 0.5:
                plain = plain[-max_spans:]
                wanted = [(key, name) for settled_ns, key, name in plain if settled_ns > now_ns - max_age_ns]
                told = recent.all(now_ns)
                assert (
                    list(zip(told.spans.span_key.tolist(), told.spans.conversation.to_strings(), strict=True)) == wanted
                )
                assert told.caller.tolist() == [key for key, _ in wanted]
                assert told.spans.trace_id[:, 0].tolist() == [key % 256 for key, _ in wanted]
                assert len(told.spans.take(np.arange(len(told.spans)))) == len(wanted)


def test_nothing_is_recent_at_first() -> None:
    assert len(RecentSpans(5, 10).all(1).spans) == 0
