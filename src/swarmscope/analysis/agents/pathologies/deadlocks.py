"""Agents that wait for one another in a circle: a cycle in the wait-for graph of spans that have not ended.

The condition for a deadlock where each waits for one other (Coffman, Elphick & Shoshani 1971, System deadlocks).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from swarmscope.analysis.agents.pathologies.evidence import shown, to_finding
from swarmscope.analysis.agents.pathologies.window import IS_STEP, FleetWindow
from swarmscope.model.agents import NO_TEXT
from swarmscope.model.fleet import Finding, FindingKind

Waits = dict[int, dict[int, int]]  # who waits for whom: the row of the open span


def find_deadlocks(window: FleetWindow) -> list[Finding]:
    """One finding for a circle of agents."""
    waits = waits_for(window)
    found = []
    for circle in _circles(waits):
        rows = [waits[agent][circle[(at + 1) % len(circle)]] for at, agent in enumerate(circle)]
        spans = window.opened.spans
        begin_ns = int(spans.start_ns[rows].max())  # since then it is closed
        age_ns = window.now_ns - begin_ns
        if age_ns < window.settings.deadlock_age_ns:
            continue
        names = [window.name(agent) for agent in circle]
        evidence: dict[str, object] = {
            "waits": [f"{name} waits for {names[(at + 1) % len(names)]}" for at, name in enumerate(names)],
            "age_s": age_ns / 1e9, "threshold_s": window.settings.deadlock_age_ns / 1e9, **shown(spans, rows),
        }  # fmt: skip
        way = " → ".join([*names, names[0]])
        summary = f"{way} wait for one another, and none has finished a step for {age_ns // 10**9} s"
        # 0.8 at first, and nearer to 1 the longer nobody moves.
        confidence = 1 - 0.2 * window.settings.deadlock_age_ns / age_ns
        found.append(to_finding(window, FindingKind.DEADLOCK, circle, begin_ns, confidence, (summary, evidence, ())))
    return found


def waits_for(window: FleetWindow) -> Waits:
    """Whom each agent waits for that does nothing else, and in which open span [row of `opened`]."""
    opened, settings = window.opened, window.settings
    spans = opened.spans
    silent_ns = (settings.missed_announcements + 1) * settings.announce_interval_ns + settings.crash_slack_ns
    fresh = opened.seen_ns > window.now_ns - silent_ns
    has_child = np.isin(spans.span_key, spans.parent_key[fresh])
    waits: Waits = {}
    working = set()
    row_of = {int(key): row for row, key in enumerate(spans.span_key.tolist())}
    for row in np.flatnonzero(fresh).tolist():
        agent, target = int(spans.agent[row]), int(spans.target[row])
        parent = row_of.get(int(spans.parent_key[row]))
        above = int(spans.agent[parent]) if parent is not None else NO_TEXT
        if above not in (NO_TEXT, agent) and agent != NO_TEXT:
            # The work of another inside one's own: waited for as long as it is open.
            _add(window, waits, (above, agent), row)
        if has_child[row]:
            continue
        waiter = int(spans.source[row]) if target != NO_TEXT and spans.source[row] != NO_TEXT else agent
        if target not in (NO_TEXT, waiter) and waiter != NO_TEXT:
            _add(window, waits, (waiter, target), row)
        elif IS_STEP[spans.operation[row]]:
            working.add(agent)
    return {agent: targets for agent, targets in waits.items() if agent not in working}


def _add(window: FleetWindow, waits: Waits, pair: tuple[int, int], row: int) -> None:
    waiter, target = pair
    start_ns = int(window.opened.spans.start_ns[row])
    if window.last_step_ns[waiter] > start_ns:
        return  # it goes on with something else meanwhile
    row_before = waits.setdefault(waiter, {}).setdefault(target, row)
    if window.opened.spans.start_ns[row_before] > start_ns:
        waits[waiter][target] = row


def _circles(waits: Waits) -> Iterator[list[int]]:
    """Circles, each once; of those that share an agent the first. Begins with the smallest code."""
    seen: set[int] = set()
    for start in sorted(waits):
        if start in seen:
            continue
        path: list[int] = []
        stack = [(start, iter(sorted(waits[start])))]
        path.append(start)
        while stack:
            _, targets = stack[-1]
            target = next(targets, None)
            if target is None:
                stack.pop()
                seen.add(path.pop())
            elif target in path:
                circle = path[path.index(target) :]
                smallest = circle.index(min(circle))
                seen.update(path)
                yield circle[smallest:] + circle[:smallest]
                break
            elif target in waits and target not in seen:
                path.append(target)
                stack.append((target, iter(sorted(waits[target]))))
