"""Sets of spans: what a pipeline's stages hand on.

A span is in one set at most. At first the sets are the traces; `by` splits them, `coalesce` joins them again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.query.traceql.span_block import SpanBlock
from swarmscope.query.traceql.values import Values

NO_SET = -1


@dataclass(frozen=True, slots=True)
class SpanSets:
    """n_sets sets of a block's n spans. Sets may be empty: those are none."""

    of_span: NDArray[np.int64]  # [n] which set, NO_SET where in none
    trace: NDArray[np.int64]  # [n_sets] the set's trace
    # What stages found out about the sets, in order: what it is called, and a value [n_sets] for each.
    attributes: tuple[tuple[str, Values], ...] = ()

    @property
    def mask(self) -> NDArray[np.bool_]:
        """Which spans [n] are in a set."""
        held: NDArray[np.bool_] = self.of_span != NO_SET
        return held

    def kept(self, spans: NDArray[np.bool_]) -> SpanSets:
        """The sets with these spans [n] alone."""
        return replace(self, of_span=np.where(spans, self.of_span, NO_SET))


def all_spans(block: SpanBlock, in_range: NDArray[np.bool_]) -> SpanSets:
    """A set for each trace of the block, of its spans `in_range` [n]."""
    facts = block.whole_facts()
    return SpanSets(np.where(in_range, facts.trace, NO_SET), np.arange(len(facts.root)))
