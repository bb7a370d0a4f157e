"""Tokens and costs of told rows, in one meaning: input with what was cached, output with what was reasoned."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from swarmscope.ingest.genai.attribute import Field
from swarmscope.ingest.genai.number_values import amounts, whole_numbers
from swarmscope.ingest.genai.reading import NO_PAIR, Pairs, Told
from swarmscope.model.agents import NOT_SAID, AgentOperation, AgentSpans, CostSource, Dialect

# Dialects that tell tokens as the provider does, whatever that counts.
_AS_THE_PROVIDER = (Dialect.OPENLIT,)
_NUMBERS = [field for field in Field if Field.INPUT_TOKENS <= field <= Field.PAYLOAD_BYTES]


def read_numbers(
    spans: AgentSpans,
    pairs: Pairs,
    told: Told,
    content_bytes: NDArray[np.int64],
    separate_provider: NDArray[np.bool_],
) -> None:
    """Fill the columns of tokens, costs and `payload_bytes` of the told rows [n_told].

    `separate_provider` says whose own counts of input leave out what came from or went to a cache.
    """
    spans.payload_bytes[told.row] = content_bytes
    has_numbers = np.flatnonzero((told.pair[Field.INPUT_TOKENS : Field.PAYLOAD_BYTES + 1] != NO_PAIR).any(axis=0))
    if len(has_numbers):
        rows = told.row[has_numbers]
        pair = {field: told.pair[field][has_numbers] for field in _NUMBERS}
        payload = whole_numbers(pairs, pair[Field.PAYLOAD_BYTES])
        spans.payload_bytes[rows] = np.where(payload == NOT_SAID, spans.payload_bytes[rows], payload)
        separate = separate_provider[has_numbers] & np.isin(told.dialect[has_numbers], _AS_THE_PROVIDER)
        _read_tokens(spans, rows, pairs, pair, separate)
        _read_costs(spans, rows, pairs, pair)


def _read_tokens(
    spans: AgentSpans,
    rows: NDArray[np.int64],
    pairs: Pairs,
    pair: Mapping[Field, NDArray[np.int64]],
    separate: NDArray[np.bool_],
) -> None:
    """The rows [n] by their pairs [n] of each field."""
    given, made, cached, written, thought, total = (
        whole_numbers(pairs, pair[field])
        for field in (
            Field.INPUT_TOKENS, Field.OUTPUT_TOKENS, Field.CACHED_TOKENS, Field.CACHE_WRITE_TOKENS,
            Field.REASONING_TOKENS, Field.TOTAL_TOKENS,
        )
    )  # fmt: skip
    embedded = (spans.operation[rows] == AgentOperation.EMBEDDINGS) & (given == NOT_SAID)
    given = np.where(embedded, total, given)
    rest = (made == NOT_SAID) & (given != NOT_SAID) & (total > given)
    made = np.where(rest, total - given, made)
    at_cache = np.maximum(cached, 0) + np.maximum(written, 0)
    # More than all cannot be a part of it.
    separate = (separate | (at_cache > given)) & (given != NOT_SAID)
    given = np.where(separate, given + at_cache, given)
    made = np.where((thought > made) & (made != NOT_SAID), made + thought, made)
    spans.input_tokens[rows], spans.output_tokens[rows] = given, made
    spans.cached_tokens[rows], spans.cache_write_tokens[rows] = cached, written
    spans.reasoning_tokens[rows] = thought


def _read_costs(
    spans: AgentSpans, rows: NDArray[np.int64], pairs: Pairs, pair: Mapping[Field, NDArray[np.int64]]
) -> None:
    """What the rows [n] say themselves: the whole, or the sum of its parts."""
    whole, given, made = (amounts(pairs, pair[field]) for field in (Field.COST, Field.INPUT_COST, Field.OUTPUT_COST))
    has_parts = ~(np.isnan(given) & np.isnan(made))
    parts = np.where(has_parts, np.nan_to_num(given) + np.nan_to_num(made), np.nan)
    cost = np.where(np.isnan(whole), parts, whole)
    spans.cost_usd[rows] = cost
    spans.cost_source[rows] = np.where(np.isnan(cost), CostSource.NONE, CostSource.SPAN)
