"""The tables behind `SpanForest`: spans by key in bounded memory, of which the least used are forgotten.

Records, not columns: what is known of a span is read at once, from one or two cache lines, and a compiled function
that is handed one array has one reference to count.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.agents import NO_TEXT
from swarmscope.model.raw_memory import Int

# An array of records, or one of them: the types of fields are known to the compiled code only.
Records: TypeAlias = Any

# What holds of a node, one bit each.
REAL = 1  # it was seen itself, and not as somebody's parent only
RESOLVED = 2  # its ancestors are known, or were given up on
OPEN = 4  # announced, not ended
TOLD = 8
SAYS = 16  # by itself something of agents
OWN_AGENT = 32
TOP = 64  # no ancestor has an agent
EXPLICIT = 128  # it names the agent that it speaks to
TO_TARGET = 256  # inside an explicit interaction whose target has not been reached yet
PRODUCER = 512
TOUCHED = 1 << 10
TELLS_TOKENS = 1 << 11
TELLS_COST = 1 << 12
TOKENS_BELOW = 1 << 13  # some span below tells tokens
COST_BELOW = 1 << 14
INNER = 1 << 15  # another instrumentation tells the same call of a model once more, below
INNER_TOKENS = 1 << 16
INNER_COST = 1 << 17
SAME_TOOL = 1 << 18  # the tool call is told above already
ROOT = 1 << 20  # settled without a parent
AGAIN = 1 << 19  # it was resolved, and something new is said of it

NONE = -1  # no node, no slot

NODE = np.dtype(
    [
        ("key", np.uint64),
        ("parent", np.uint64),
        ("above", np.uint64),  # the nearest ancestor that says something, or whose parent is not known
        ("conversation", np.uint64),
        ("call", np.uint64),  # the enclosing call of a model, for those below
        ("seen_ns", np.int64),
        ("flags", np.uint32),
        ("agent", np.uint32),  # its own until it is resolved, then the settled one; so are the next four
        ("agent_id", np.uint32),
        ("version", np.uint32),
        ("team", np.uint32),
        ("workflow", np.uint32),
        ("caller", np.uint32),
        ("pair", np.uint32),  # the innermost interaction, 0 for none
        ("thing", np.uint32),  # the model of an inference; else the enclosing tool
        ("child", np.int32),  # the first of those that wait for it
        ("next", np.int32),
        ("previous", np.int32),  # of its siblings; of the first one: NONE
        ("slot", np.int32),  # in the facts
        ("entry", np.int32),  # in the ledger
        ("links", np.int32),
        ("waiter", np.int32),  # the first link to it that waits
        ("operation", np.uint8),
        ("channel", np.uint8),
        ("via", np.uint8),  # the channel over which an agent below was reached
        ("kind", np.uint8),
    ],
    align=True,
)
# A row of a batch, and the same while it waits.
FACT = np.dtype(
    [
        ("key", np.uint64),
        ("parent", np.uint64),
        ("conversation", np.uint64),
        ("start_ns", np.int64),
        ("end_ns", np.int64),
        ("payload_bytes", np.int64),
        ("tokens", np.int64),  # 0 where none are told
        ("cost_usd", np.float64),  # 0 where none is told
        ("row", np.int64),  # in the batch; NONE once it is stored by its slot
        ("node", np.int32),
        ("agent", np.uint32),
        ("agent_id", np.uint32),
        ("agent_version", np.uint32),
        ("team", np.uint32),
        ("workflow", np.uint32),
        ("source", np.uint32),
        ("target", np.uint32),
        ("model", np.uint32),
        ("tool", np.uint32),
        ("service", np.uint32),
        ("first_link", np.int64),
        ("n_links", np.int64),
        ("status", np.uint8),
        ("kind", np.uint8),
        ("operation", np.uint8),
        ("channel", np.uint8),
        ("says", np.uint8),
        ("tells", np.uint8),  # 1 tokens, 2 cost
    ],
    align=True,
)
PAIR = np.dtype(
    [
        ("source", np.uint32),
        ("target", np.uint32),
        ("source_version", np.uint32),
        ("target_version", np.uint32),
        ("type", np.uint8),
    ],
    align=True,
)
# A span whose usage was counted, should it turn out to be told once more.
ENTRY = np.dtype(
    [("key", np.uint64), ("end_ns", np.int64), ("tokens", np.int64), ("cost_usd", np.float64), ("pair", np.uint32)],
    align=True,
)
# A link to a span that is not known yet.
WAITER = np.dtype(
    [
        ("key", np.uint64),  # whom it waits for
        ("conversation", np.uint64),
        ("end_ns", np.int64),
        ("duration_ns", np.int64),
        ("payload_bytes", np.int64),
        ("agent", np.uint32),
        ("version", np.uint32),
        ("caller", np.uint32),
        ("next", np.int32),
        ("is_error", np.uint8),
        ("channel", np.uint8),
        ("kind", np.uint8),
    ],
    align=True,
)
MAX_LINKS = 4  # of one span; further ones are ignored
LINKS = np.dtype([("owner", np.uint64), ("n", np.int64), ("key", np.uint64, (MAX_LINKS,))], align=True)

# Places in `ForestState.counts`.
N_NODES, HAND, N_SLOTS, N_FREE, VICTIM, N_PAIRS, N_ENTRIES, N_LINKS, N_WAITERS, N_LOST = range(10)


class ForestState(NamedTuple):
    """Everything that a forest remembers."""

    nodes: Records  # [max_spans] NODE
    table: NDArray[np.int32]  # [power of two] the node of a key, NONE; open addressing
    facts: Records  # [max_waiting] FACT
    free: NDArray[np.int32]  # [max_waiting] slots that were given back
    pairs: Records  # [max_pairs] PAIR, of which 0 is none
    pair_table: NDArray[np.uint32]  # [power of two]
    ledger: Records  # ring of ENTRY
    links: Records  # ring of LINKS
    waiters: Records  # ring of WAITER
    versions: NDArray[np.uint32]  # [n_texts] the last version told of an agent
    is_service: NDArray[np.uint8]  # [n_texts] 1 where a service's name may stand for an agent
    counts: NDArray[np.int64]
    order: NDArray[np.int32]  # [max_spans] room for walks
    parents: NDArray[np.int32]  # [max_spans] the same


def empty_state(max_spans: int, max_waiting: int, max_pairs: int) -> ForestState:
    """Tables with nothing in them; memory is taken when it is written to."""
    pairs = np.empty(max_pairs, PAIR)
    pairs[0] = (NO_TEXT, NO_TEXT, NO_TEXT, NO_TEXT, 0)
    counts = np.zeros(10, np.int64)
    counts[N_PAIRS] = 1
    n_side = max(64, max_spans // 16)
    return ForestState(
        nodes=np.zeros(max_spans, NODE),
        table=np.full(_power_of_two(2 * max_spans), NONE, np.int32),
        facts=np.zeros(max_waiting, FACT),
        free=np.zeros(max_waiting, np.int32),
        pairs=pairs,
        pair_table=np.zeros(_power_of_two(2 * max_pairs), np.uint32),
        ledger=np.zeros(max(64, max_spans // 8), ENTRY),
        links=np.zeros(n_side, LINKS),
        waiters=np.zeros(n_side, WAITER),
        versions=np.zeros(0, np.uint32),
        is_service=np.zeros(0, np.uint8),
        counts=counts,
        order=np.zeros(max_spans, np.int32),
        parents=np.zeros(max_spans, np.int32),
    )


def _power_of_two(at_least: int) -> int:
    return 1 << max(4, (at_least - 1).bit_length())


@njit(nogil=True, cache=True, inline="always")
def find(forest: ForestState, key: Int) -> Int:
    """The node of a key, NONE where it is not known."""
    mask = len(forest.table) - 1
    at = np.int64(key >> np.uint64(20)) & mask
    while True:
        node = forest.table[at]
        if node == NONE or forest.nodes[node].key == key:
            return node
        at = (at + 1) & mask


@njit(nogil=True, cache=True, inline="always")
def insert(forest: ForestState, node: Int) -> None:
    """Enter a node, whose key is set and not in the table."""
    mask = len(forest.table) - 1
    at = np.int64(forest.nodes[node].key >> np.uint64(20)) & mask
    while forest.table[at] != NONE:
        at = (at + 1) & mask
    forest.table[at] = node


@njit(nogil=True, cache=True)
def remove(forest: ForestState, node: Int) -> None:
    """Take a node out of the table; those behind move up (Knuth, The Art of Computer Programming 3, 6.4 R)."""
    mask = len(forest.table) - 1
    hole = np.int64(forest.nodes[node].key >> np.uint64(20)) & mask
    while forest.table[hole] != node:
        hole = (hole + 1) & mask
    at = hole
    while True:
        at = (at + 1) & mask
        other = forest.table[at]
        if other == NONE:
            break
        home = np.int64(forest.nodes[other].key >> np.uint64(20)) & mask
        if (at - home) & mask >= (at - hole) & mask:
            forest.table[hole] = other
            hole = at
    forest.table[hole] = NONE


@njit(nogil=True, cache=True, inline="always")
def clear(forest: ForestState, node: Int, key: Int, now_ns: Int) -> None:
    """A node of which nothing but the key is known, in the table."""
    fresh = forest.nodes[node]
    fresh.key = key
    fresh.parent = fresh.above = np.uint64(0)
    fresh.conversation = np.uint64(0)
    fresh.call = np.uint64(0)
    fresh.seen_ns = now_ns
    fresh.flags = np.uint32(0)
    fresh.agent = fresh.agent_id = fresh.version = fresh.team = fresh.workflow = fresh.caller = NO_TEXT
    fresh.thing = NO_TEXT
    fresh.pair = np.uint32(0)
    fresh.child = fresh.next = fresh.previous = fresh.slot = fresh.entry = fresh.links = fresh.waiter = NONE
    fresh.operation = fresh.channel = fresh.via = fresh.kind = np.uint8(0)
    insert(forest, node)


@njit(nogil=True, cache=True, inline="always")
def add_child(forest: ForestState, parent: Int, node: Int) -> None:
    """Let a node wait for another."""
    nodes = forest.nodes
    first = nodes[parent].child
    nodes[node].next = first
    nodes[node].previous = NONE
    if first != NONE:
        nodes[first].previous = node
    nodes[parent].child = node


@njit(nogil=True, cache=True)
def unlink(forest: ForestState, node: Int) -> None:
    """Let a node wait no longer."""
    nodes = forest.nodes
    before, after = nodes[node].previous, nodes[node].next
    if after != NONE:
        nodes[after].previous = before
    if before != NONE:
        nodes[before].next = after
    else:
        parent = find(forest, nodes[node].parent)
        if parent != NONE and nodes[parent].child == node:
            nodes[parent].child = after
    nodes[node].next = nodes[node].previous = NONE


@njit(nogil=True, cache=True, inline="always")
def give_slot_back(forest: ForestState, node: Int) -> None:
    """What is known of a waiting span is needed no longer."""
    slot = forest.nodes[node].slot
    if slot != NONE:
        forest.facts[slot].node = NONE
        forest.free[forest.counts[N_FREE]] = slot
        forest.counts[N_FREE] += 1
        forest.nodes[node].slot = NONE


@njit(nogil=True, cache=True)
def pair_of(forest: ForestState, source: Int, target: Int, kind: Int, versions: tuple[Int, Int]) -> Int:
    """The number of an interaction's identity; 0 when there is no room for one more."""
    mask = len(forest.pair_table) - 1
    mixed = np.uint64(source) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(target) * np.uint64(0xC2B2AE3D27D4EB4F)
    mixed += np.uint64(versions[0]) * np.uint64(0x165667B19E3779F9)
    mixed += np.uint64(versions[1]) * np.uint64(0xD6E8FEB86659FD93)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9) + np.uint64(kind)
    at = np.int64(mixed >> np.uint64(17)) & mask
    while forest.pair_table[at] != 0:
        found = forest.pair_table[at]
        pair = forest.pairs[found]
        if (
            pair.source == source
            and pair.target == target
            and pair.type == kind
            and pair.source_version == versions[0]
            and pair.target_version == versions[1]
        ):
            return found
        at = (at + 1) & mask
    made = forest.counts[N_PAIRS]
    if made >= len(forest.pairs):
        return np.uint32(0)
    forest.counts[N_PAIRS] = made + 1
    fresh = forest.pairs[made]
    fresh.source, fresh.target, fresh.type = source, target, kind
    fresh.source_version, fresh.target_version = versions
    forest.pair_table[at] = made
    return np.uint32(made)
