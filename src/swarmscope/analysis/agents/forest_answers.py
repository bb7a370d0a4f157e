"""What the compiled walks over a forest write down."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.analysis.agents.forest_tables import Records
from swarmscope.model.raw_memory import Int

INTERACTION = np.dtype(
    [
        ("conversation", np.uint64),
        ("end_ns", np.int64),
        ("duration_ns", np.int64),
        ("payload_bytes", np.int64),
        ("tokens", np.int64),
        ("cost_usd", np.float64),
        ("pair", np.uint32),
        ("count", np.uint8),
        ("is_error", np.uint8),
    ],
    align=True,
)
SETTLED = np.dtype(
    [
        ("place", np.int64),  # a row of the batch; ~slot where it is stored
        ("parent", np.uint64),
        ("conversation", np.uint64),
        ("agent", np.uint32),
        ("agent_id", np.uint32),
        ("agent_version", np.uint32),
        ("team", np.uint32),
        ("workflow", np.uint32),
        ("caller", np.uint32),
        ("entry", np.int32),  # in the ledger, -1 for none
        ("counted", np.uint8),
    ],
    align=True,
)
CORRECTION = np.dtype([("entry", np.int32), ("lost", np.uint8)], align=True)
TURN = np.dtype(
    [
        ("conversation", np.uint64),
        ("start_ns", np.int64),
        ("end_ns", np.int64),
        ("agent", np.uint32),
        ("version", np.uint32),
        ("is_error", np.uint8),
        ("is_old", np.uint8),
    ],
    align=True,
)
N_INTERACTIONS, N_SETTLED, N_CORRECTIONS, N_TURNS = range(4)


class Answers(NamedTuple):
    """Room for what a call finds."""

    interactions: Records  # INTERACTION
    settled: Records  # SETTLED
    corrections: Records  # CORRECTION
    turns: Records  # TURN
    counts: NDArray[np.int64]  # [4] how much of each


def empty_answers(n_spans: int, n_waiters: int) -> Answers:
    """Room for what `n_spans` spans can tell at most, those that wait included."""
    # One on the way in, one of its own, what it used, what of that turns out to be told twice, and links.
    n_interactions = 12 * n_spans + n_waiters + 16
    return Answers(
        np.empty(n_interactions, INTERACTION),
        np.empty(n_spans + 1, SETTLED),
        np.empty(4 * n_spans + 16, CORRECTION),
        np.empty(n_spans + 1, TURN),
        np.zeros(4, np.int64),
    )


@njit(nogil=True, cache=True, inline="always")
def tell_use(answers: Answers, pair: Int, end_ns: Int, cost_usd: float, tokens: Int) -> None:
    """What was used inside an interaction."""
    at = answers.counts[N_INTERACTIONS]
    if at >= len(answers.interactions):
        return
    told = answers.interactions[at]
    told.conversation = np.uint64(0)
    told.end_ns, told.duration_ns, told.payload_bytes = end_ns, 0, 0
    told.tokens, told.cost_usd = tokens, cost_usd
    told.pair, told.count, told.is_error = pair, 0, 0
    answers.counts[N_INTERACTIONS] = at + 1


@njit(nogil=True, cache=True, inline="always")
def tell_interaction(answers: Answers, pair: Int, conversation: Int, span: tuple[Int, Int, Int, Int]) -> None:
    """One interaction; `span` is the end, the duration (both ns), the payload's bytes, and 1 for an error."""
    at = answers.counts[N_INTERACTIONS]
    if pair == 0 or at >= len(answers.interactions):
        return
    told = answers.interactions[at]
    told.conversation = conversation
    told.end_ns, told.duration_ns, told.payload_bytes = span[0], max(span[1], 0), max(span[2], 0)
    told.tokens, told.cost_usd = 0, 0.0
    told.pair, told.count, told.is_error = pair, 1, span[3]
    answers.counts[N_INTERACTIONS] = at + 1


@njit(nogil=True, cache=True)
def tell_correction(answers: Answers, entry: Int, lost: Int) -> None:
    """Parts of a counted span that are told by another span as well."""
    at = answers.counts[N_CORRECTIONS]
    if at < len(answers.corrections):
        answers.corrections[at].entry = entry
        answers.corrections[at].lost = lost
        answers.counts[N_CORRECTIONS] = at + 1
