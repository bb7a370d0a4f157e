"""Work that two agents do both, at about the same time."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.pathologies.evidence import shown, surplus, to_finding
from swarmscope.analysis.agents.pathologies.window import IS_INFERENCE, FleetWindow
from swarmscope.analysis.agents.row_groups import grouped_rows
from swarmscope.model.agents import NO_TEXT
from swarmscope.model.fleet import Finding, FindingKind

_MAX_ROWS = 5_000  # of shared work that is looked at in one round, the newest
_LASTS_NS = 300 * 10**9  # work shared longer ago is over


def find_duplicated_work(window: FleetWindow) -> list[Finding]:
    """One finding for two agents."""
    rows = _shared_rows(window)
    spans, settings = window.spans, window.settings
    by_work: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for row in rows.tolist():
        by_work[int(spans.operation[row]), int(spans.tool[row]), int(spans.content[row])].append(row)
    pairs: dict[tuple[int, int], list[int]] = defaultdict(list)
    for done in by_work.values():
        first: dict[int, int] = {}
        for row in done:
            first.setdefault(int(spans.agent[row]), row)
        if not 2 <= len(first) <= settings.max_sharers:
            continue
        agents = sorted(first)
        for at, one in enumerate(agents):
            for other in agents[at + 1 :]:
                a, b = first[one], first[other]
                apart_ns = abs(int(spans.start_ns[a]) - int(spans.start_ns[b]))
                if apart_ns <= settings.duplicate_ns and window.caller[a] != other and window.caller[b] != one:
                    pairs[one, other] += [a, b]
    found = []
    for pair, both in pairs.items():
        count = len(both) // 2
        if count < settings.min_duplicates:
            continue
        names = [window.name(code) for code in pair]
        evidence: dict[str, object] = {
            "duplicates": count, "threshold": settings.min_duplicates, "within_s": settings.duplicate_ns / 1e9,
            **shown(spans, both),
        }  # fmt: skip
        summary = f"{names[0]} and {names[1]} did the same {count} pieces of work at about the same time"
        begin_ns = int(spans.start_ns[both].min())
        told = (summary, evidence, ())
        confidence = surplus(count, settings.min_duplicates)
        found.append(to_finding(window, FindingKind.DUPLICATED_WORK, pair, begin_ns, confidence, told))
    return found


def _shared_rows(window: FleetWindow) -> NDArray[np.int64]:
    """Steps of the last minutes that several agents did."""
    spans, settings = window.spans, window.settings
    inference = IS_INFERENCE[spans.operation]
    large = np.where(
        inference,
        spans.output_tokens >= settings.min_duplicate_tokens,
        spans.payload_bytes >= settings.min_duplicate_bytes,
    )
    chosen = large & window.is_step & (spans.content != 0) & (spans.agent != NO_TEXT)
    chosen &= spans.end_ns > window.now_ns - _LASTS_NS
    rows = window.order[chosen[window.order]]
    if len(rows) < 2:
        return np.zeros(0, np.int64)
    firsts, work = grouped_rows([spans.operation[rows], spans.tool[rows], spans.content[rows]])
    once, _ = grouped_rows([work, spans.agent[rows]])
    n_agents = np.bincount(work[once], minlength=len(firsts))
    shared = (n_agents[work] > 1) & (n_agents[work] <= settings.max_sharers)
    newest: NDArray[np.int64] = rows[shared][-_MAX_ROWS:]
    return newest
