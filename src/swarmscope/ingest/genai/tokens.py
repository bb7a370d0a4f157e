"""Tokens and costs of told rows, in one meaning: input with what was cached, output with what was reasoned."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from swarmscope.ingest.genai.attribute import Field
from swarmscope.ingest.genai.number_values import amounts, whole_numbers
from swarmscope.ingest.genai.reading import Pairs, Told
from swarmscope.model.agents import NOT_SAID, AgentOperation, AgentSpans, CostSource, Dialect

# Dialects that tell tokens as the provider does, whatever that counts.
_AS_THE_PROVIDER = (Dialect.OPENLIT,)


def read_tokens(
    spans: AgentSpans,
    rows: NDArray[np.int64],
    pairs: Pairs,
    told: Told,
    content_bytes: NDArray[np.int64],
    separate_provider: NDArray[np.bool_],
) -> None:
    """Fill the columns of tokens, and `payload_bytes`, of the told rows [n_told].

    `separate_provider` says whose own counts of input leave out what came from or went to a cache.
    """
    given, made, cached, written, thought, total, payload = (
        whole_numbers(pairs, told.pair[field])
        for field in (
            Field.INPUT_TOKENS, Field.OUTPUT_TOKENS, Field.CACHED_TOKENS, Field.CACHE_WRITE_TOKENS,
            Field.REASONING_TOKENS, Field.TOTAL_TOKENS, Field.PAYLOAD_BYTES,
        )
    )  # fmt: skip
    embedded = (told.operation == AgentOperation.EMBEDDINGS) & (given == NOT_SAID)
    given = np.where(embedded, total, given)
    rest = (made == NOT_SAID) & (given != NOT_SAID) & (total > given)
    made = np.where(rest, total - given, made)
    at_cache = np.maximum(cached, 0) + np.maximum(written, 0)
    # More than all cannot be a part of it.
    separate = (separate_provider & np.isin(told.dialect, _AS_THE_PROVIDER)) | (at_cache > given)
    given = np.where(separate & (given != NOT_SAID), given + at_cache, given)
    made = np.where((thought > made) & (made != NOT_SAID), made + thought, made)
    spans.input_tokens[rows], spans.output_tokens[rows] = given, made
    spans.cached_tokens[rows], spans.cache_write_tokens[rows] = cached, written
    spans.reasoning_tokens[rows] = thought
    spans.payload_bytes[rows] = np.where(payload == NOT_SAID, content_bytes, payload)


def read_costs(spans: AgentSpans, rows: NDArray[np.int64], pairs: Pairs, told: Told) -> None:
    """Fill the costs that told rows [n_told] say: the whole, or the sum of its parts."""
    whole, given, made = (
        amounts(pairs, told.pair[field]) for field in (Field.COST, Field.INPUT_COST, Field.OUTPUT_COST)
    )
    has_parts = ~(np.isnan(given) & np.isnan(made))
    parts = np.where(has_parts, np.nan_to_num(given) + np.nan_to_num(made), np.nan)
    cost = np.where(np.isnan(whole), parts, whole)
    spans.cost_usd[rows] = cost
    spans.cost_source[rows] = np.where(np.isnan(cost), CostSource.NONE, CostSource.SPAN)
