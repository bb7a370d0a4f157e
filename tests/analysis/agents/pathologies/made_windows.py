"""Windows for tests, from few words; times are seconds, `NOW` is when one looks."""

from __future__ import annotations

import itertools

import numpy as np
from tests.analysis.agents.made_spans import SECOND_NS, make_spans

from swarmscope.analysis.agents.pathologies.window import FleetWindow
from swarmscope.analysis.agents.settled import OpenSpans
from swarmscope.model.agents import AgentOperation, AgentSpans, Vocabulary
from swarmscope.model.fleet import GRAIN_NS, Usage, UsageMeasure
from swarmscope.model.spans import SpanStatus

NOW = 120_000.0
CHAT, TOOL, INVOKE = AgentOperation.CHAT, AgentOperation.EXECUTE_TOOL, AgentOperation.INVOKE_AGENT
ERROR = SpanStatus.ERROR
_numbers = itertools.count()


def step(agent: str, start: float, end: float, **said) -> dict:
    """A span that is a tool call unless it says otherwise."""
    return {"key": f"k{next(_numbers)}", "agent": agent, "start": start, "end": end, "operation": TOOL} | said


def window(rows=(), opened=(), usage=(), now: float = NOW) -> FleetWindow:
    """`rows` and `opened` as of `step`, with content, similarity, seen; `usage`: minutes ago, agent, usd, calls."""
    vocabulary = Vocabulary()
    spans, still_open = _spans(list(rows), vocabulary), _spans(list(opened), vocabulary)
    still_open.end_ns[:] = 0
    seen = np.array([round(row.get("seen", now) * SECOND_NS) for row in opened], np.int64)
    told = OpenSpans(still_open, _callers(opened, vocabulary), seen)
    now_ns = round(now * SECOND_NS)
    return FleetWindow(spans, _callers(rows, vocabulary), told, _usage(usage, vocabulary, now_ns), now_ns, vocabulary)


def _callers(rows, vocabulary: Vocabulary):
    return np.array([vocabulary.code_of(row.get("caller", "")) for row in rows], np.uint32)


def _spans(rows: list[dict], vocabulary: Vocabulary) -> AgentSpans:
    spans = make_spans(rows, vocabulary)
    for at, row in enumerate(rows):
        spans.content[at] = row.get("content", 0)
        spans.similarity[at] = row.get("similarity", 0)
    return spans


def _usage(rows, vocabulary: Vocabulary, now_ns: int) -> Usage:
    n = len(rows)
    measures = np.zeros((n, len(UsageMeasure)))
    agents, minutes = np.ones(n, np.uint32), np.zeros(n, np.int64)
    for at, (ago, agent, usd, calls) in enumerate(rows):
        minutes[at] = (now_ns // GRAIN_NS - ago) * GRAIN_NS
        agents[at] = vocabulary.code_of(agent)
        measures[at, UsageMeasure.COST_USD], measures[at, UsageMeasure.INFERENCES] = usd, calls
    nothing = np.ones(n, np.uint32)
    return Usage(minutes, agents, nothing, nothing, nothing, nothing, np.zeros(n, np.uint8), nothing, measures)
