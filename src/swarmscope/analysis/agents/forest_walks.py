"""Handing down what ancestors say, and telling each span once its ancestors are known."""

from __future__ import annotations

import numpy as np
from numba import njit

from swarmscope.analysis.agents.forest_answers import (
    N_SETTLED,
    N_TURNS,
    Answers,
    tell_use,
)
from swarmscope.analysis.agents.forest_interactions import follow_links, greet_waiters, own_interactions
from swarmscope.analysis.agents.forest_marks import counted_of, is_inference, mark_ancestors, mark_outer_calls
from swarmscope.analysis.agents.forest_tables import (
    N_ENTRIES,
    NONE,
    OPEN,
    OWN_AGENT,
    REAL,
    RESOLVED,
    ROOT,
    SAME_TOOL,
    SAYS,
    TOLD,
    TOP,
    ForestState,
    Records,
    find,
    give_slot_back,
    unlink,
)
from swarmscope.analysis.agents.settled import Counted
from swarmscope.model.agents import NO_TEXT, AgentOperation
from swarmscope.model.raw_memory import Int
from swarmscope.model.spans import SpanStatus

_TOOL, _INVOKE, _WORKFLOW = (
    int(AgentOperation.EXECUTE_TOOL),
    int(AgentOperation.INVOKE_AGENT),
    int(AgentOperation.INVOKE_WORKFLOW),
)
_NONE, _CHAIN = int(AgentOperation.NONE), int(AgentOperation.CHAIN)
_TOKENS, _COST = int(Counted.TOKENS), int(Counted.COST)
_ERROR = int(SpanStatus.ERROR)


@njit(nogil=True, cache=True, inline="always")
def _inherit(forest: ForestState, node: Int, parent: Int) -> None:
    """Fill in what the span does not say itself; `parent` is resolved, or NONE."""
    nodes = forest.nodes
    child = nodes[node]
    child.above = child.parent
    if parent == NONE:
        child.flags = child.flags | np.uint32(TOP | ROOT)
        return
    above = nodes[parent]
    child.above = above.key if above.flags & SAYS else above.above
    if above.agent == NO_TEXT:
        child.flags = child.flags | np.uint32(TOP)
    if child.agent == NO_TEXT:
        child.agent = above.agent
    if child.agent == above.agent or above.agent == NO_TEXT:
        # The work of the same agent, or of a workflow around agents: what it belongs to, they belong to.
        if child.agent_id == NO_TEXT:
            child.agent_id = above.agent_id
        if child.version == NO_TEXT:
            child.version = above.version
        if child.team == NO_TEXT:
            child.team = above.team
    if child.workflow == NO_TEXT:
        child.workflow = above.workflow
    if child.conversation == 0:
        child.conversation = above.conversation
    child.caller = above.caller if child.agent == above.agent else above.agent


@njit(nogil=True, cache=True, inline="always")
def _step(forest: ForestState, node: Int, parent: Int, answers: Answers) -> None:
    """What kind of step it is: a call of a model that a span around it tells too, the same of a tool."""
    nodes = forest.nodes
    span = nodes[node]
    call, tool = np.uint64(0), np.uint32(NO_TEXT)
    if parent != NONE:
        above = nodes[parent]
        if span.agent == above.agent or not span.flags & OWN_AGENT or above.agent == NO_TEXT:
            call = above.call
            tool = above.thing if not is_inference(above.operation) else np.uint32(NO_TEXT)
    if is_inference(span.operation):
        if call and not span.flags & OPEN:
            mark_outer_calls(forest, node, call, answers)
        span.call = span.key
    elif span.operation == _TOOL:
        if tool != NO_TEXT and tool == span.thing:
            span.flags = span.flags | np.uint32(SAME_TOOL)
        span.call = np.uint64(0)
    else:
        is_boundary = span.operation == _INVOKE or span.operation == _WORKFLOW
        span.call = np.uint64(0) if is_boundary else call
        span.thing = np.uint32(NO_TEXT) if is_boundary else tool


@njit(nogil=True, cache=True, inline="always")
def settle_node(forest: ForestState, node: Int, parent: Int, answers: Answers) -> None:
    """Everything that only ancestors tell."""
    nodes = forest.nodes
    nodes[node].flags = nodes[node].flags | np.uint32(RESOLVED)
    slot = nodes[node].slot
    if slot != NONE and forest.facts[slot].source != NO_TEXT and not nodes[node].flags & OWN_AGENT:
        nodes[node].agent = forest.facts[slot].source
    _inherit(forest, node, parent)
    _step(forest, node, parent, answers)
    own_interactions(forest, node, parent, answers)
    if nodes[node].links != NONE or (parent != NONE and nodes[parent].links != NONE):
        follow_links(forest, node, parent, answers)
    mark_ancestors(forest, node, answers)
    if nodes[node].waiter != NONE:
        greet_waiters(forest, node, answers)


@njit(nogil=True, cache=True, inline="always")
def _enter(forest: ForestState, node: Int, slot: Int) -> Int:
    """Remember what was counted of a span."""
    entry = forest.counts[N_ENTRIES] % len(forest.ledger)
    forest.counts[N_ENTRIES] += 1
    written = forest.ledger[entry]
    written.key = forest.nodes[node].key
    written.end_ns = forest.facts[slot].end_ns
    written.tokens = forest.facts[slot].tokens
    written.cost_usd = forest.facts[slot].cost_usd
    forest.nodes[node].entry = entry
    return entry


@njit(nogil=True, cache=True, inline="always")
def write_settled(forest: ForestState, span: Records, fact: Records, told: Records) -> None:
    """What is settled of a span (a NODE and its FACT), into a record (SETTLED)."""
    agent = span.agent
    is_work = span.operation not in (_NONE, _CHAIN, _WORKFLOW)  # what is around the work of agents is nobody's
    if agent == NO_TEXT and is_work and forest.is_service[fact.service]:
        # Not handed down: those below have services of their own.
        agent = fact.service
    told.agent, told.caller = agent, span.caller
    told.agent_id, told.agent_version = span.agent_id, span.version
    told.team, told.workflow, told.conversation = span.team, span.workflow, span.conversation
    told.parent = span.above


@njit(nogil=True, cache=True, inline="always")
def tell(forest: ForestState, node: Int, answers: Answers) -> None:
    """Write down a span that has ended and is resolved."""
    span = forest.nodes[node]
    slot = span.slot
    if slot == NONE or span.flags & (OPEN | TOLD):
        return
    fact = forest.facts[slot]
    span.flags = span.flags | np.uint32(TOLD)
    at = answers.counts[N_SETTLED]
    if span.flags & SAYS and at < len(answers.settled):
        answers.counts[N_SETTLED] = at + 1
        told = answers.settled[at]
        write_settled(forest, span, fact, told)
        told.place = fact.row if fact.row >= 0 else ~np.int64(slot)
        agent = told.agent
        counted = counted_of(span.flags, span.operation)
        told.counted = counted
        told.entry = _enter(forest, node, slot) if counted else NONE
        if span.pair and counted & (_TOKENS | _COST):
            cost_usd = fact.cost_usd if counted & _COST else 0.0
            tell_use(answers, span.pair, fact.end_ns, cost_usd, fact.tokens if counted & _TOKENS else 0)
        if span.conversation and span.flags & TOP and agent != NO_TEXT:
            turn = answers.turns[answers.counts[N_TURNS]]
            answers.counts[N_TURNS] += 1
            turn.conversation, turn.start_ns, turn.end_ns = span.conversation, fact.start_ns, fact.end_ns
            turn.agent, turn.version = agent, span.version
            turn.is_error, turn.is_old = np.uint8(fact.status == _ERROR), np.uint8(0)
    give_slot_back(forest, node)


@njit(nogil=True, cache=True)
def resolve(forest: ForestState, node: Int, parent: Int, answers: Answers) -> None:
    """Settle a node below a resolved one (or NONE), and all that wait below; children are told before parents."""
    nodes, order, parents = forest.nodes, forest.order, forest.parents
    order[0], parents[0] = node, parent
    n = 1
    at = 0
    while at < n:
        here = order[at]
        settle_node(forest, here, parents[at], answers)
        child = nodes[here].child
        nodes[here].child = NONE
        while child != NONE:
            after = nodes[child].next
            nodes[child].next = nodes[child].previous = NONE
            if not nodes[child].flags & RESOLVED and n < len(order):
                order[n], parents[n] = child, here
                n += 1
            child = after
        at += 1
    for at in range(n - 1, -1, -1):
        tell(forest, order[at], answers)


@njit(nogil=True, cache=True, inline="always")
def _waiting_parent(forest: ForestState, node: Int) -> Int:
    """The parent, if it was seen and waits itself."""
    if forest.nodes[node].parent == 0:
        return NONE
    above = find(forest, forest.nodes[node].parent)
    if above == NONE or not forest.nodes[above].flags & REAL or forest.nodes[above].flags & RESOLVED:
        return NONE
    return above


@njit(nogil=True, cache=True)
def _top_of(forest: ForestState, node: Int) -> Int:
    """The topmost span above a waiting one; where parents go in a circle, the one with the least key of these."""
    top, marked, steps, lap = node, node, 0, 1
    while True:
        above = _waiting_parent(forest, top)
        if above == NONE:
            return top
        if above == marked:
            break
        top = above
        steps += 1
        if steps == lap:
            # Brent, An improved Monte Carlo factorization algorithm (1980): circles are found within their length.
            marked, steps, lap = top, 0, 2 * lap
    least = marked
    at = _waiting_parent(forest, marked)
    while at != marked:
        if forest.nodes[at].key < forest.nodes[least].key:
            least = at
        at = _waiting_parent(forest, at)
    return least


@njit(nogil=True, cache=True)
def give_up(forest: ForestState, node: Int, answers: Answers) -> None:
    """Settle the tree that an unresolved node waits in, with its topmost known span as the root."""
    top = _top_of(forest, node)
    if forest.nodes[top].parent:
        unlink(forest, top)
    resolve(forest, top, NONE, answers)
