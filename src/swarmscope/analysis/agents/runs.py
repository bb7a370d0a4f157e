"""One trace as a run of several agents: what it waited for, and who did it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.agents.critical_path import SpanTree, critical_path, own_time
from swarmscope.analysis.agents.distinct_keys import distinct_keys
from swarmscope.analysis.agents.intervals import covered_by
from swarmscope.model.agents import NO_TEXT, AgentOperation, AgentSpans
from swarmscope.model.fleet import StoredAgentSpans

_NS_PER_S = 1e9


@dataclass(frozen=True, slots=True)
class PathStep:
    """A stretch of the critical path in which one span was what the run waited for."""

    agent: str  # empty where no agent is known
    name: str  # of the span
    operation: str
    model: str
    tool: str
    span_id: str
    begin_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class AgentTime:
    """How an agent spent the run: work + waiting + idle = the run's duration."""

    agent: str
    work_s: float  # some span of its own is open and waits for no child
    waiting_s: float  # its spans are open, and all of them wait for other agents
    idle_s: float  # no span of its own is open
    critical_s: float
    critical_share: float  # of the run's duration, 0 … 1


@dataclass(frozen=True, slots=True)
class Run:
    """One trace."""

    begin_ns: int
    end_ns: int
    path: tuple[PathStep, ...]  # in order of time, without gaps
    agents: tuple[AgentTime, ...]  # by share of the critical path, the largest first


def to_run(stored: StoredAgentSpans, now_ns: int) -> Run:
    """The run that these spans of one trace are, settled; open spans are taken to last until `now_ns`.

    The critical path is that of CRISP (Zhang et al., USENIX ATC 2022): from the end backwards, a span waits for the
    child that finished last; before that one began, for the child that finished last until then, and so on; the rest
    is the span's own. Children that outlive their parent count up to its end. Spans without a known parent are
    children of the run itself, whose own time has no agent.

    Raises ValueError where there is no span.
    """
    spans, text = stored.spans, stored.vocabulary.text
    if not len(spans):
        raise ValueError("a run has spans")
    tree = _to_tree(spans, now_ns)
    agent = _inherited(spans.agent, tree.parent)
    path_span, path_begin_ns, path_end_ns = critical_path(tree)
    steps = tuple(
        _to_step(spans, agent, span, (begin_ns, end_ns), text)
        for span, begin_ns, end_ns in zip(path_span.tolist(), path_begin_ns.tolist(), path_end_ns.tolist(), strict=True)
    )
    begin_ns, end_ns = int(tree.start_ns.min()), int(tree.end_ns.max())
    path_agent = np.where(path_span >= 0, agent[path_span], NO_TEXT)
    times = _to_times(tree, agent, (path_agent, path_end_ns - path_begin_ns), text)
    return Run(begin_ns, end_ns, steps, times)


def _to_tree(spans: AgentSpans, now_ns: int) -> SpanTree:
    """Children by parent; a span that stands twice is taken once, and one whose parent is unknown has none."""
    firsts, which = distinct_keys(spans.span_key)
    order = np.argsort(spans.span_key[firsts])
    keys = spans.span_key[firsts][order]
    at = np.minimum(np.searchsorted(keys, spans.parent_key), len(keys) - 1) if len(keys) else which
    known = (keys[at] == spans.parent_key) & (spans.parent_key != spans.span_key)
    parent = np.where(known, firsts[order][at], -1)
    parent[firsts[which - 1] != np.arange(len(spans))] = -2
    end_ns = np.where(spans.end_ns > 0, spans.end_ns, now_ns)
    return SpanTree(parent, spans.start_ns, np.maximum(end_ns, spans.start_ns))


def _inherited(agent: NDArray[np.uint32], parent: NDArray[np.int64]) -> NDArray[np.uint32]:
    """The agent [n] of each span, or of its nearest ancestor that has one."""
    agent = agent.copy()
    above = np.where(parent >= 0, parent, -1)
    for _ in range(64):  # doubles the distance every time; circles end with it
        missing = np.flatnonzero((agent == NO_TEXT) & (above >= 0))
        if not len(missing):
            break
        agent[missing] = agent[above[missing]]
        above = np.where(above >= 0, above[above], -1)
    return agent


def _to_step(
    spans: AgentSpans,
    agent: NDArray[np.uint32],
    span: int,
    range_ns: tuple[int, int],
    text: Callable[[int], str],
) -> PathStep:
    if span < 0:
        return PathStep("", "", "", "", "", "", *range_ns)
    return PathStep(
        agent=text(int(agent[span])),
        name=text(int(spans.name[span])),
        operation=AgentOperation(int(spans.operation[span])).label,
        model=text(int(spans.model[span])),
        tool=text(int(spans.tool[span])),
        span_id=spans.span_id[span].tobytes().hex(),
        begin_ns=range_ns[0],
        end_ns=range_ns[1],
    )


def _to_times(
    tree: SpanTree,
    agent: NDArray[np.uint32],
    path: tuple[NDArray[np.uint32], NDArray[np.int64]],
    text: Callable[[int], str],
) -> tuple[AgentTime, ...]:
    """Of every agent; `path` is the agent [m] and the duration [m] of each step on the critical path."""
    taken = tree.parent != -2
    codes, group = np.unique(agent[taken], return_inverse=True)
    open_ns = covered_by(group, len(codes), tree.start_ns[taken], tree.end_ns[taken])
    span, begin_ns, end_ns = own_time(tree)
    work_ns = covered_by(np.searchsorted(codes, agent[span]), len(codes), begin_ns, end_ns)
    run_ns = int(tree.end_ns.max() - tree.start_ns.min())
    times = []
    for at, code in enumerate(codes.tolist()):
        critical_ns = int(path[1][path[0] == code].sum())
        if code != NO_TEXT:
            times.append(
                AgentTime(
                    agent=text(code),
                    work_s=int(work_ns[at]) / _NS_PER_S,
                    waiting_s=int(open_ns[at] - work_ns[at]) / _NS_PER_S,
                    idle_s=(run_ns - int(open_ns[at])) / _NS_PER_S,
                    critical_s=critical_ns / _NS_PER_S,
                    critical_share=critical_ns / run_ns if run_ns else 0.0,
                )
            )
    return tuple(sorted(times, key=lambda time: (-time.critical_s, time.agent)))
