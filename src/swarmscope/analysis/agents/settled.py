"""What is known of spans once their ancestors are known."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntFlag

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.agents import AgentSpans
from swarmscope.model.fleet import Usage


class Counted(IntFlag):
    """What of a settled span counts in usage, so that nothing counts twice."""

    NOTHING = 0  # the span itself always counts as one
    STEP = 1  # a call of a model or a tool that no other span tells as well
    TOKENS = 2
    COST = 4


@dataclass(frozen=True, slots=True)
class Interactions:
    """Single interactions [n], and what was used inside of them; `count` is 0 where a row only tells the latter.

    Source, target, type and versions are those of pair `pair[i]`: columns [n_pairs].
    """

    pair: NDArray[np.uint32]  # [n]
    end_ns: NDArray[np.int64]  # [n]
    count: NDArray[np.uint8]  # [n] 1 or 0
    is_error: NDArray[np.uint8]  # [n]
    duration_ns: NDArray[np.int64]  # [n]
    payload_bytes: NDArray[np.int64]  # [n] 0 where nothing is known
    cost_usd: NDArray[np.float64]  # [n] may be negative: what was counted too much before
    tokens: NDArray[np.int64]  # [n] the same
    source: NDArray[np.uint32]  # [n_pairs]
    target: NDArray[np.uint32]  # [n_pairs]
    type: NDArray[np.uint8]  # [n_pairs] InteractionType
    source_version: NDArray[np.uint32]  # [n_pairs]
    target_version: NDArray[np.uint32]  # [n_pairs]

    def __len__(self) -> int:
        return len(self.pair)


@dataclass(frozen=True, slots=True)
class Settled:
    """Spans that say something of agents and whose ancestors are known, or were given up on; each is told once.

    `agent`, `agent_id`, `agent_version`, `team`, `workflow` and the conversation of `spans` are filled in from the
    nearest ancestors, and `parent_key` is that of the nearest ancestor that says something of agents (0 where there
    is none; the parent's own key where it never came). Links are left out. `interactions` and `corrections` may
    belong to spans that were settled earlier.
    """

    spans: AgentSpans
    caller: NDArray[np.uint32]  # [n] the agent that the span's agent works for here, NO_TEXT for none
    counted: NDArray[np.uint8]  # [n] Counted
    interactions: Interactions
    corrections: Usage  # to be added to usage: of spans that turned out to tell the same as others

    def __len__(self) -> int:
        return len(self.spans)


@dataclass(frozen=True, slots=True)
class OpenSpans:
    """Spans that were announced and have not ended, with the agents as far as their ancestors tell them."""

    spans: AgentSpans
    caller: NDArray[np.uint32]  # [n]
    seen_ns: NDArray[np.int64]  # [n] when the last announcement came

    def __len__(self) -> int:
        return len(self.spans)
