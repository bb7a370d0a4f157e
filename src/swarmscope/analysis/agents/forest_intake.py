"""Taking spans into a forest, making room for them, and giving up on those that wait too long."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.agents.borrowed import borrowed
from swarmscope.analysis.agents.forest_answers import SETTLED, Answers
from swarmscope.analysis.agents.forest_marks import is_inference
from swarmscope.analysis.agents.forest_tables import (
    AGAIN,
    HAND,
    MAX_LINKS,
    N_FREE,
    N_LINKS,
    N_LOST,
    N_NODES,
    N_SLOTS,
    NONE,
    OPEN,
    OWN_AGENT,
    PRODUCER,
    REAL,
    RESOLVED,
    SAYS,
    TELLS_COST,
    TELLS_TOKENS,
    TOUCHED,
    VICTIM,
    ForestState,
    Records,
    add_child,
    clear,
    find,
    give_slot_back,
    remove,
)
from swarmscope.analysis.agents.forest_walks import give_up, resolve, settle_node, tell, write_settled
from swarmscope.model.agents import NO_TEXT
from swarmscope.model.raw_memory import Int
from swarmscope.model.spans import SpanKind

_PRODUCER = int(SpanKind.PRODUCER)
_MAX_CHANCES = 64  # nodes that the hand passes by before it takes one that is in use


@njit(nogil=True, cache=True)
def _make_room(forest: ForestState, answers: Answers) -> Int:
    """A node that nothing is in any longer: one that was not used since the hand came by last (the clock algorithm)."""
    nodes = forest.nodes
    chances = _MAX_CHANCES
    while True:
        node = forest.counts[HAND]
        forest.counts[HAND] = (node + 1) % len(nodes)
        if not nodes[node].flags & TOUCHED or chances == 0:
            break
        nodes[node].flags = nodes[node].flags & ~np.uint32(TOUCHED)
        chances -= 1
    if nodes[node].flags & REAL and not nodes[node].flags & RESOLVED:
        give_up(forest, node, answers)
    while nodes[node].child != NONE:
        give_up(forest, nodes[node].child, answers)
    give_slot_back(forest, node)
    remove(forest, node)
    return node


@njit(nogil=True, cache=True, inline="always")
def _node_of(forest: ForestState, key: Int, now_ns: Int, answers: Answers) -> Int:
    """The node of a key, which is made if need be."""
    node = find(forest, key)
    if node != NONE:
        return node
    if forest.counts[N_NODES] < len(forest.nodes):
        node = forest.counts[N_NODES]
        forest.counts[N_NODES] += 1
    else:
        node = _make_room(forest, answers)
    clear(forest, node, key, now_ns)
    return node


@njit(nogil=True, cache=True, inline="always")
def _slot(forest: ForestState, answers: Answers) -> Int:
    """A place for what is known of a span that waits; when there is none, those that waited long are given up on."""
    counts = forest.counts
    while counts[N_FREE] == 0:
        if counts[N_SLOTS] < len(forest.facts):
            counts[N_SLOTS] += 1
            return counts[N_SLOTS] - 1
        victim = counts[VICTIM]
        counts[VICTIM] = (victim + 1) % len(forest.facts)
        node = forest.facts[victim].node
        if node != NONE and not forest.nodes[node].flags & RESOLVED:
            give_up(forest, node, answers)
        if node != NONE and forest.nodes[node].slot == victim:
            give_slot_back(forest, node)
            counts[N_LOST] += 1
    counts[N_FREE] -= 1
    return forest.free[counts[N_FREE]]


@njit(nogil=True, cache=True)
def _keep_links(forest: ForestState, row: Records, link_key: NDArray[np.uint64], now_ns: Int, answers: Answers) -> Int:
    """Remember whom a span links to."""
    place = forest.counts[N_LINKS] % len(forest.links)
    forest.counts[N_LINKS] += 1
    kept = forest.links[place]
    kept.n = min(row.n_links, MAX_LINKS)
    for n in range(kept.n):
        kept.key[n] = link_key[row.first_link + n]
        if kept.key[n]:
            _node_of(forest, kept.key[n], now_ns, answers)
    return place


@njit(nogil=True, cache=True, inline="always")
def _fill(forest: ForestState, node: Int, row: Records, now_ns: Int) -> None:
    """What a span says by itself; whatever it inherited is forgotten."""
    span = forest.nodes[node]
    span.parent = row.parent if row.parent != row.key else np.uint64(0)
    span.conversation, span.seen_ns = row.conversation, now_ns
    span.agent, span.agent_id, span.version = row.agent, row.agent_id, row.agent_version
    span.team, span.workflow, span.caller = row.team, row.workflow, np.uint32(NO_TEXT)
    span.thing = row.model if is_inference(row.operation) else row.tool
    span.operation, span.channel, span.kind = row.operation, row.channel, row.kind
    # What others have told of it stays.
    flags = span.flags & ~np.uint32(OPEN | SAYS | OWN_AGENT | PRODUCER | TELLS_TOKENS | TELLS_COST)
    flags |= np.uint32(REAL | TOUCHED)
    if row.says:
        flags |= np.uint32(SAYS)
    if row.agent != NO_TEXT:
        flags |= np.uint32(OWN_AGENT)
    if row.kind == _PRODUCER:
        flags |= np.uint32(PRODUCER)
    if row.end_ns == 0:
        flags |= np.uint32(OPEN)
    elif row.tells:
        flags |= np.uint32((TELLS_TOKENS if row.tells & 1 else 0) | (TELLS_COST if row.tells & 2 else 0))
    span.flags = flags


@njit(nogil=True, cache=True, inline="always")
def _admit(forest: ForestState, row: Records, link_key: NDArray[np.uint64], now_ns: Int, answers: Answers) -> Int:
    """Enter one span; its node if it is news, else NONE."""
    if row.key == 0:
        return NONE
    nodes = forest.nodes
    node = find(forest, row.key)
    if node != NONE and nodes[node].flags & REAL and not nodes[node].flags & OPEN:
        return NONE
    # First all that may need room, and then the node: making room must not take away what is in hand.
    links = NONE
    if row.n_links:
        links = _keep_links(forest, row, link_key, now_ns, answers)
    parent = NONE
    if row.parent and row.parent != row.key:
        parent = _node_of(forest, row.parent, now_ns, answers)
        nodes[parent].flags = nodes[parent].flags | np.uint32(TOUCHED)
    needs_slot = row.says or links != NONE
    node = _node_of(forest, row.key, now_ns, answers)
    if needs_slot and nodes[node].slot == NONE:
        slot = _slot(forest, answers)
        nodes[node].slot = slot
    is_known = nodes[node].flags & REAL != 0
    _fill(forest, node, row, now_ns)
    nodes[node].links = links
    if needs_slot:
        forest.facts[nodes[node].slot] = row
        forest.facts[nodes[node].slot].node = node
    else:
        give_slot_back(forest, node)
    if is_known:
        if nodes[node].flags & RESOLVED:
            # At once: those below it that come with it are told by what is known of it.
            above = find(forest, row.parent) if row.parent and row.parent != row.key else NONE
            settle_node(forest, node, above if above != NONE and nodes[above].flags & RESOLVED else NONE, answers)
            nodes[node].flags = nodes[node].flags | np.uint32(AGAIN)
    elif parent != NONE and nodes[parent].key == row.parent and not nodes[parent].flags & RESOLVED:
        add_child(forest, parent, node)
    return node


@njit(nogil=True, cache=True, inline="always")
def _lent(forest: ForestState) -> ForestState:
    return ForestState(
        borrowed(forest.nodes),
        borrowed(forest.table),
        borrowed(forest.facts),
        borrowed(forest.free),
        borrowed(forest.pairs),
        borrowed(forest.pair_table),
        borrowed(forest.ledger),
        borrowed(forest.links),
        borrowed(forest.waiters),
        borrowed(forest.versions),
        borrowed(forest.is_service),
        borrowed(forest.counts),
        borrowed(forest.order),
        borrowed(forest.parents),
    )


@njit(nogil=True, cache=True, inline="always")
def _lent_answers(answers: Answers) -> Answers:
    return Answers(
        borrowed(answers.interactions),
        borrowed(answers.settled),
        borrowed(answers.corrections),
        borrowed(answers.turns),
        borrowed(answers.counts),
    )


@njit(nogil=True, cache=True)
def take_in(forest: ForestState, rows: Records, link_key: NDArray[np.uint64], now_ns: int, answers: Answers) -> None:
    """Enter all rows [n] (FACT), and tell what can be told now."""
    forest, answers = _lent(forest), _lent_answers(answers)
    nodes = forest.nodes
    # Parts small enough that what a part enters does not push out itself.
    part = max(1, len(nodes) // 16)
    fresh = np.empty(min(part, len(rows)), np.int32)
    for begin in range(0, len(rows), part):
        end = min(begin + part, len(rows))
        for at in range(begin, end):
            fresh[at - begin] = _admit(forest, rows[at], link_key, now_ns, answers)
        for at in range(begin, end):
            node = fresh[at - begin]
            if node == NONE or nodes[node].key != rows[at].key:
                continue
            if nodes[node].flags & AGAIN:
                nodes[node].flags = nodes[node].flags & ~np.uint32(AGAIN)
                tell(forest, node, answers)
                continue
            if nodes[node].flags & RESOLVED:
                continue
            parent = find(forest, nodes[node].parent) if nodes[node].parent else NONE
            is_orphan = parent == NONE or not nodes[parent].flags & RESOLVED
            if not is_orphan or not nodes[node].parent:
                resolve(forest, node, NONE if is_orphan else parent, answers)


@njit(nogil=True, cache=True)
def expire(forest: ForestState, before_ns: int, answers: Answers) -> None:
    """Give up on spans that wait and were last heard of before a time, and forget open ones."""
    forest, answers = _lent(forest), _lent_answers(answers)
    nodes = forest.nodes
    for slot in range(forest.counts[N_SLOTS]):
        node = forest.facts[slot].node
        if node == NONE or nodes[node].slot != slot or nodes[node].seen_ns >= before_ns:
            continue
        if not nodes[node].flags & RESOLVED:
            give_up(forest, node, answers)
        if nodes[node].flags & OPEN:
            give_slot_back(forest, node)


@njit(nogil=True, cache=True)
def kept_rows(forest: ForestState, slots: NDArray[np.int64]) -> Int:
    """The slots [n] of rows of this batch that wait, by slot; how many. From now on they are known by their slots."""
    n = 0
    for slot in range(forest.counts[N_SLOTS]):
        if forest.facts[slot].node != NONE and forest.facts[slot].row >= 0:
            slots[n] = slot
            n += 1
    return n


@njit(nogil=True, cache=True)
def open_slots(forest: ForestState, after_ns: int) -> tuple[NDArray[np.int64], Records, NDArray[np.int64]]:
    """Slots [n] of open spans that were heard of since, what is settled of them (SETTLED), and when it was."""
    n_slots = forest.counts[N_SLOTS]
    slots, seen_ns = np.empty(n_slots, np.int64), np.empty(n_slots, np.int64)
    told = np.zeros(n_slots, SETTLED)
    n = 0
    for slot in range(n_slots):
        node = forest.facts[slot].node
        if node == NONE or forest.nodes[node].slot != slot:
            continue
        span = forest.nodes[node]
        if not span.flags & OPEN or not span.flags & SAYS or span.seen_ns < after_ns:
            continue
        slots[n], seen_ns[n] = slot, span.seen_ns
        write_settled(forest, span, forest.facts[slot], told[n])
        n += 1
    return slots[:n], told[:n], seen_ns[:n]
