"""Which interactions a span begins, ends or is: over its place among agents, by its own words, and over links."""

from __future__ import annotations

import numpy as np
from numba import njit

from swarmscope.analysis.agents.forest_answers import Answers, tell_interaction
from swarmscope.analysis.agents.forest_tables import (
    EXPLICIT,
    N_WAITERS,
    NONE,
    OPEN,
    OWN_AGENT,
    PRODUCER,
    RESOLVED,
    TO_TARGET,
    ForestState,
    find,
    pair_of,
)
from swarmscope.model.agents import NO_TEXT, AgentOperation, InteractionType
from swarmscope.model.raw_memory import Int
from swarmscope.model.spans import SpanKind, SpanStatus

_SERVER, _CONSUMER = int(SpanKind.SERVER), int(SpanKind.CONSUMER)
_ERROR = int(SpanStatus.ERROR)
_CALL, _LINK, _BY_MESSAGE = int(InteractionType.CALL), int(InteractionType.LINK), int(InteractionType.MESSAGE)
_BY_HANDOFF, _A2A, _MCP = int(InteractionType.HANDOFF), int(InteractionType.A2A), int(InteractionType.MCP)
_BY_TOOL = int(InteractionType.TOOL)
_TOOL, _HANDOFF, _MESSAGE = (
    int(AgentOperation.EXECUTE_TOOL),
    int(AgentOperation.HANDOFF),
    int(AgentOperation.MESSAGE),
)


@njit(nogil=True, cache=True, inline="always")
def _via(before: Int, channel: Int, operation: Int) -> Int:
    """The way to an agent below: the innermost protocol, else a tool, else nothing special."""
    if _BY_MESSAGE <= channel <= _MCP:  # a message, a handoff, A2A or MCP
        return channel
    if before == 0 and (operation == _TOOL or channel == _BY_TOOL):
        return _BY_TOOL
    return before


@njit(nogil=True, cache=True, inline="always")
def _explicit_type(channel: Int, operation: Int) -> Int:
    if channel:
        return channel
    if operation == _HANDOFF:
        return _BY_HANDOFF
    if operation == _MESSAGE:
        return _BY_MESSAGE
    return _BY_TOOL if operation == _TOOL else _CALL


@njit(nogil=True, cache=True, inline="always")
def _last_version(forest: ForestState, agent: Int) -> Int:
    return forest.versions[agent] if agent < len(forest.versions) else np.uint32(NO_TEXT)


@njit(nogil=True, cache=True, inline="always")
def _count(forest: ForestState, node: Int, pair: Int, answers: Answers) -> None:
    """An interaction that lasted as long as this span, if it has ended."""
    span = forest.nodes[node]
    if span.slot == NONE or span.flags & OPEN:
        return
    fact = forest.facts[span.slot]
    lasted = (fact.end_ns, fact.end_ns - fact.start_ns, fact.payload_bytes, np.int64(fact.status == _ERROR))
    tell_interaction(answers, pair, span.conversation, lasted)


@njit(nogil=True, cache=True, inline="always")
def own_interactions(forest: ForestState, node: Int, parent: Int, answers: Answers) -> None:
    """The interaction that a span is inside of, and those that it counts for."""
    nodes, pairs = forest.nodes, forest.pairs
    span = nodes[node]
    source, target = np.uint32(NO_TEXT), np.uint32(NO_TEXT)
    if span.slot != NONE:
        source, target = forest.facts[span.slot].source, forest.facts[span.slot].target
    if target != NO_TEXT and source == NO_TEXT:
        source = span.agent
    is_explicit = target != NO_TEXT and source != NO_TEXT and source != target
    caller, via, to_target = np.uint32(NO_TEXT), np.uint8(0), np.uint32(0)
    if parent != NONE:
        caller, via = nodes[parent].agent, nodes[parent].via
        span.pair, to_target = nodes[parent].pair, nodes[parent].flags & np.uint32(TO_TARGET)
    is_entry = span.flags & OWN_AGENT and caller != NO_TEXT and caller != span.agent
    is_served = span.kind == _SERVER or span.kind == _CONSUMER
    if to_target and span.flags & OWN_AGENT and pairs[span.pair].target == span.agent:
        # Where an explicit interaction arrives: it is counted already.
        to_target = np.uint32(0)
    elif is_entry and not (is_explicit and target == span.agent):
        kind = _via(via, span.channel, span.operation)
        versions = (nodes[parent].version, span.version)
        span.pair = pair_of(forest, caller, span.agent, kind if kind else _CALL, versions)
        _count(forest, node, span.pair, answers)
        to_target = np.uint32(0)
    span.via = np.uint8(0) if is_entry else _via(via, span.channel if not is_served else 0, span.operation)
    if is_explicit:
        span.flags = span.flags | np.uint32(EXPLICIT)
        around = pairs[span.pair]
        if not (span.pair and around.source == source and around.target == target):
            version = span.version if source == span.agent else _last_version(forest, source)
            there = span.version if target == span.agent else _last_version(forest, target)
            kind = _explicit_type(span.channel, span.operation)
            span.pair = pair_of(forest, source, target, kind, (version, there))
            _count(forest, node, span.pair, answers)
            to_target = np.uint32(TO_TARGET if target != span.agent else 0)
    span.flags = (span.flags & ~np.uint32(TO_TARGET)) | to_target


@njit(nogil=True, cache=True)
def follow_links(forest: ForestState, node: Int, parent: Int, answers: Answers) -> None:
    """Interactions with those whose spans are linked to; a link of a span without an agent counts for agents below."""
    nodes = forest.nodes
    caller = nodes[parent].agent if parent != NONE else np.uint32(NO_TEXT)
    is_own = nodes[node].links != NONE
    if not is_own and parent != NONE and caller == NO_TEXT:
        nodes[node].links = nodes[parent].links
    at = nodes[node].links
    span = nodes[node]
    if at == NONE or span.agent == NO_TEXT or span.slot == NONE or span.flags & (OPEN | EXPLICIT):
        return
    if not (is_own or span.flags & OWN_AGENT):
        return
    fact = forest.facts[span.slot]
    for n in range(forest.links[at].n):
        linked = find(forest, forest.links[at].key[n])
        if linked == NONE:
            continue
        # A link to oneself is joined at once, and joins nobody.
        place = forest.counts[N_WAITERS] % len(forest.waiters)
        waiter = forest.waiters[place]
        waiter.key, waiter.conversation = nodes[linked].key, span.conversation
        waiter.end_ns, waiter.duration_ns = fact.end_ns, fact.end_ns - fact.start_ns
        waiter.payload_bytes, waiter.is_error = fact.payload_bytes, np.uint8(fact.status == _ERROR)
        waiter.agent, waiter.version, waiter.caller = span.agent, span.version, span.caller
        waiter.channel, waiter.kind = span.channel, span.kind
        if parent != NONE and not is_own and nodes[parent].kind == _CONSUMER:
            waiter.kind = np.uint8(_CONSUMER)
        if nodes[linked].flags & RESOLVED:
            _join(forest, linked, place, answers)
        else:
            forest.counts[N_WAITERS] += 1
            waiter.next = nodes[linked].waiter
            nodes[linked].waiter = place


@njit(nogil=True, cache=True)
def greet_waiters(forest: ForestState, node: Int, answers: Answers) -> None:
    """The links to a span that is resolved now."""
    place = forest.nodes[node].waiter
    forest.nodes[node].waiter = NONE
    key = forest.nodes[node].key
    for _ in range(len(forest.waiters)):
        # A ring: where somebody else stands by now, those behind are gone too.
        if place == NONE or forest.waiters[place].key != key:
            return
        _join(forest, node, place, answers)
        forest.waiters[place].key = np.uint64(0)
        place = forest.waiters[place].next


@njit(nogil=True, cache=True)
def _join(forest: ForestState, linked: Int, place: Int, answers: Answers) -> None:
    """Count the link of a waiter, unless it is told otherwise already."""
    there, waiter = forest.nodes[linked], forest.waiters[place]
    if there.agent == NO_TEXT or there.agent == waiter.agent or there.agent == waiter.caller:
        return
    if there.flags & EXPLICIT and forest.pairs[there.pair].target == waiter.agent:
        return
    kind = _LINK
    if waiter.channel == _A2A:
        kind = _A2A
    elif waiter.kind == _CONSUMER or waiter.channel == _BY_MESSAGE or there.flags & PRODUCER:
        kind = _BY_MESSAGE
    pair = pair_of(forest, there.agent, waiter.agent, kind, (there.version, waiter.version))
    lasted = (waiter.end_ns, waiter.duration_ns, waiter.payload_bytes, np.int64(waiter.is_error))
    tell_interaction(answers, pair, waiter.conversation, lasted)
