"""Running totals of what agents did, used and said to each other, as counters."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.fleet.series import Family, Labels, SeriesTable, labels
from swarmscope.model.agents import InteractionType, Vocabulary
from swarmscope.model.byte_hash import mix
from swarmscope.model.fleet import EdgeMeasure, Edges, Usage, UsageMeasure

_ACTIVITY = (
    Family("agi_agent_activity_total", "counter", "Spans of an agent's work."),
    Family("agi_agent_errors_total", "counter", "Those of them that failed."),
)
_MODELS = (
    Family("agi_agent_cost_usd_total", "counter", "Money spent on models, in US dollars."),
    Family("agi_agent_cached_tokens_total", "counter", "Input tokens that were read from a cache."),
    Family("agi_agent_reasoning_tokens_total", "counter", "Output tokens spent on reasoning."),
    Family("agi_agent_unpriced_tokens_total", "counter", "Tokens of models whose price is not known."),
)
_MODEL_MEASURES = (
    UsageMeasure.COST_USD, UsageMeasure.CACHED_TOKENS, UsageMeasure.REASONING_TOKENS, UsageMeasure.UNPRICED_TOKENS,
)  # fmt: skip
_TOKENS = (Family("agi_agent_tokens_total", "counter", "Tokens that models took in and gave out."),)
_TOKEN_TYPES = (("input", UsageMeasure.INPUT_TOKENS), ("output", UsageMeasure.OUTPUT_TOKENS))
_MODEL_USE = [*_MODEL_MEASURES, *(measure for _, measure in _TOKEN_TYPES)]
_INTERACTIONS = (Family("agi_agent_interactions", "counter", "How often one agent turned to another."),)
FAMILIES = (_ACTIVITY, _TOKENS, _MODELS, _INTERACTIONS)


class FleetTotals:
    """Counters of one tenant; rows that nothing is added to for long end. Not thread-safe."""

    def __init__(self, vocabulary: Vocabulary, max_rows: int, seed: int) -> None:
        self._vocabulary = vocabulary
        self.activity = SeriesTable(_ACTIVITY, max_rows, seed)
        self.tokens = SeriesTable(_TOKENS, max_rows, seed)
        self.models = SeriesTable(_MODELS, max_rows, seed)
        self.interactions = SeriesTable(_INTERACTIONS, max_rows, seed)

    @property
    def tables(self) -> tuple[SeriesTable, ...]:
        """All of them."""
        return self.activity, self.tokens, self.models, self.interactions

    def add_usage(self, usage: Usage, now_ms: int) -> None:
        """Count what was used; amounts may be negative, where something turned out to be counted already."""
        if not len(usage):
            return
        text, measures = self._vocabulary.text, usage.measures
        nothing = np.zeros_like(usage.agent)
        keys = _keys(usage.agent, nothing, nothing, 0)
        rows = self.activity.rows_of(keys, lambda at: labels(agent_name=text(int(usage.agent[at]))), now_ms)
        self.activity.add(0, rows, measures[:, UsageMeasure.SPANS])
        self.activity.add(1, rows, measures[:, UsageMeasure.ERRORS])
        at_model = np.flatnonzero((measures[:, _MODEL_USE] != 0).any(axis=1))
        agent, model, measures = usage.agent[at_model], usage.model[at_model], measures[at_model]
        keys = _keys(agent, model, nothing[at_model], 1)
        rows = self.models.rows_of(keys, self._of_model(agent, model), now_ms)
        for family, measure in enumerate(_MODEL_MEASURES):
            said = np.flatnonzero(measures[:, measure] != 0)
            self.models.add(family, rows[said], measures[said, measure])
        for number, (token_type, measure) in enumerate(_TOKEN_TYPES):
            said = np.flatnonzero(measures[:, measure] != 0)
            keys = _keys(agent[said], model[said], nothing[at_model][said], 2 + number)
            of_type = self._of_model(agent[said], model[said], token_type=token_type)
            rows = self.tokens.rows_of(keys, of_type, now_ms)
            self.tokens.add(0, rows, measures[said, measure])

    def add_edges(self, edges: Edges, now_ms: int) -> None:
        """Count interactions."""
        if not len(edges):
            return
        text = self._vocabulary.text

        def labels_at(at: int) -> Labels:
            source, target = text(int(edges.source[at])), text(int(edges.target[at]))
            return labels(source=source, target=target, interaction_type=InteractionType(int(edges.type[at])).label)

        keys = _keys(edges.source, edges.target, edges.type.astype(np.uint32), 4)
        rows = self.interactions.rows_of(keys, labels_at, now_ms)
        self.interactions.add(0, rows, edges.measures[:, EdgeMeasure.COUNT])

    def retire_idle(self, before_ms: int) -> None:
        """End what nothing was added to since then."""
        for table in self.tables:
            table.retire_idle(before_ms)

    def _of_model(self, agent: NDArray[np.uint32], model: NDArray[np.uint32], **more: str) -> Callable[[int], Labels]:
        text = self._vocabulary.text
        return lambda at: labels(agent_name=text(int(agent[at])), model=text(int(model[at])), **more)


@njit(nogil=True, cache=True)
def _keys(
    first: NDArray[np.uint32], second: NDArray[np.uint32], third: NDArray[np.uint32], salt: int
) -> NDArray[np.uint64]:
    keys = np.empty(len(first), np.uint64)
    for i in range(len(first)):
        two = (np.uint64(first[i]) << np.uint64(32)) | np.uint64(second[i])
        keys[i] = mix(mix(np.uint64(salt), two), np.uint64(third[i]))
    return keys
