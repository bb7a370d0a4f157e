"""What spans below tell their ancestors: that tokens, money or the same call of a model are told there."""

from __future__ import annotations

import numpy as np
from numba import njit

from swarmscope.analysis.agents.forest_answers import Answers, tell_correction, tell_use
from swarmscope.analysis.agents.forest_tables import (
    COST_BELOW,
    INNER,
    INNER_COST,
    INNER_TOKENS,
    NONE,
    OWN_AGENT,
    ROOT,
    SAME_TOOL,
    SAYS,
    TELLS_COST,
    TELLS_TOKENS,
    TOKENS_BELOW,
    TOLD,
    ForestState,
    Records,
    find,
)
from swarmscope.analysis.agents.settled import Counted
from swarmscope.model.agents import NO_TEXT, AgentOperation
from swarmscope.model.raw_memory import Int

_STEP, _TOKENS, _COST = int(Counted.STEP), int(Counted.TOKENS), int(Counted.COST)
_CHAT, _EMBEDDINGS = int(AgentOperation.CHAT), int(AgentOperation.EMBEDDINGS)
_TOOL = int(AgentOperation.EXECUTE_TOOL)
_MAX_NESTED = 64  # calls of models within one another that are looked at


@njit(nogil=True, cache=True, inline="always")
def is_inference(operation: Int) -> Int:
    """Whether it is one of `INFERENCE_OPERATIONS`, which are numbered one after the other."""
    return _CHAT <= operation <= _EMBEDDINGS


@njit(nogil=True, cache=True, inline="always")
def counted_of(flags: Int, operation: Int) -> Int:
    """What counts (`Counted`) of a span that says something."""
    if not flags & SAYS:
        return 0
    if is_inference(operation):
        counted = 0 if flags & INNER else _STEP
        has_tokens, has_cost = not flags & INNER_TOKENS, not flags & INNER_COST
    else:
        counted = _STEP if operation == _TOOL and not flags & SAME_TOOL else 0
        has_tokens, has_cost = not flags & TOKENS_BELOW, not flags & COST_BELOW
    if has_tokens and flags & TELLS_TOKENS:
        counted |= _TOKENS
    if has_cost and flags & TELLS_COST:
        counted |= _COST
    return counted


@njit(nogil=True, cache=True)
def _mark(forest: ForestState, node: Int, bits: Int, answers: Answers) -> None:
    """Set flags of a node; what was counted of it and does no longer is taken back."""
    marked = forest.nodes[node]
    before = counted_of(marked.flags, marked.operation)
    marked.flags = marked.flags | np.uint32(bits)
    if not marked.flags & TOLD or marked.entry == NONE:
        return
    entry = forest.ledger[marked.entry]
    lost = before & ~counted_of(marked.flags, marked.operation)
    if not lost or entry.key != marked.key:
        return
    tell_correction(answers, marked.entry, lost)
    if marked.pair:
        cost_usd = -entry.cost_usd if lost & _COST else 0.0
        tokens = -entry.tokens if lost & _TOKENS else 0
        if cost_usd or tokens:
            tell_use(answers, marked.pair, entry.end_ns, cost_usd, tokens)


@njit(nogil=True, cache=True, inline="always")
def mark_ancestors(forest: ForestState, node: Int, answers: Answers) -> None:
    """Tell all ancestors that are known what is told here or below; ends where it is known already."""
    nodes = forest.nodes
    flags = nodes[node].flags
    bits = np.uint32(0)
    if flags & (TELLS_TOKENS | TOKENS_BELOW):
        bits |= np.uint32(TOKENS_BELOW)
    if flags & (TELLS_COST | COST_BELOW):
        bits |= np.uint32(COST_BELOW)
    # Above a root is nothing, also where parents go in a circle.
    while bits and not nodes[node].flags & ROOT:
        node = find(forest, nodes[node].parent)
        if node == NONE or nodes[node].flags & bits == bits:
            return
        _mark(forest, node, bits, answers)


@njit(nogil=True, cache=True, inline="always")
def _is_entry(span: Records, above: Records) -> Int:
    """Whether another agent's work begins with a span."""
    return span.flags & OWN_AGENT and above.agent != NO_TEXT and above.agent != span.agent


@njit(nogil=True, cache=True)
def mark_outer_calls(forest: ForestState, node: Int, outer_key: Int, answers: Answers) -> None:
    """Tell the calls of models around this one, if they are the same call told by another instrumentation."""
    nodes = forest.nodes
    operation, model = nodes[node].operation, nodes[node].thing
    bits = np.uint32(INNER)
    if nodes[node].flags & TELLS_TOKENS:
        bits |= np.uint32(INNER_TOKENS)
    if nodes[node].flags & TELLS_COST:
        bits |= np.uint32(INNER_COST)
    # Those that are marked already are passed by: a call without a model lets others through that are not alike.
    for _ in range(_MAX_NESTED):
        if not outer_key:
            return
        outer = find(forest, outer_key)
        if outer == NONE or not is_inference(nodes[outer].operation):
            return
        if (nodes[outer].operation == _EMBEDDINGS) != (operation == _EMBEDDINGS):
            return
        if nodes[outer].thing != model and nodes[outer].thing != NO_TEXT and model != NO_TEXT:
            return
        if nodes[outer].flags & bits != bits:
            _mark(forest, outer, bits, answers)
        # `call` of an inference is itself for those below: the one around it is that of its parent.
        if nodes[outer].flags & ROOT:
            return
        above = find(forest, nodes[outer].parent)
        if above == NONE or _is_entry(nodes[outer], nodes[above]):
            return
        outer_key = nodes[above].call
