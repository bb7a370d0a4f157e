"""Tokens times prices, for all rows of a batch at once."""

from __future__ import annotations

import threading

import numpy as np
from numpy.typing import NDArray

from swarmscope.ingest.genai.prices import Price, Prices, Rates
from swarmscope.model.agents import (
    INFERENCE_OPERATIONS,
    NO_TEXT,
    NOT_SAID,
    AgentSpans,
    CostSource,
    Vocabulary,
)

# Some prices hold from one half hour of the day to another; none changes within one.
_PERIOD_NS = 30 * 60 * 1_000_000_000
_UNKNOWN = 0  # row of the table for models without a price
_MAX_KNOWN = 100_000
_INFERENCE = np.array(sorted(INFERENCE_OPERATIONS), np.uint8)


class CostTable:
    """Prices as arrays, learnt as models are seen. Thread-safe."""

    def __init__(self, prices: Prices, vocabulary: Vocabulary) -> None:
        self._prices = prices
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._rows: dict[tuple[int, int, int], int] = {}
        self._distinct: dict[Price, int] = {}
        self._rates = np.zeros((1, 1, len(Rates._fields)))  # [n_prices, n_tiers, fields]
        self._request = np.zeros(1)

    def fill(self, spans: AgentSpans) -> None:
        """Set `cost_usd` and `cost_source` of rows that have tokens, and no cost by their own words."""
        counted = np.maximum(spans.input_tokens, 0) + np.maximum(spans.output_tokens, 0)
        rows = np.flatnonzero((counted > 0) & (spans.cost_source == CostSource.NONE))
        inference = np.isin(spans.operation[rows], _INFERENCE)
        # Totals of an agent without the name of a model are those of calls below it.
        rows = rows[inference | (spans.model[rows] != NO_TEXT)]
        if not len(rows):
            return
        with self._lock:
            price = self._price_rows(spans, rows)
            rates, request = self._rates, self._request
        known = price != _UNKNOWN
        spans.cost_source[rows] = np.where(known, CostSource.PRICES, CostSource.UNKNOWN_MODEL)
        priced = rows[known]
        spans.cost_usd[priced] = _costs(spans, priced, rates[price[known]]) + request[price[known]]
        self._count_unknown(spans, rows[~known])

    def _price_rows(self, spans: AgentSpans, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """The row [n] of the table that each span pays by."""
        period = np.maximum(spans.end_ns[rows], 0) // _PERIOD_NS
        keys = np.stack([spans.provider[rows].astype(np.int64), spans.model[rows].astype(np.int64), period], axis=1)
        packed = (keys[:, 0] << 40) ^ (keys[:, 1] << 20) ^ (keys[:, 2] & 0xFFFFF)
        _, first, inverse = np.unique(packed, return_index=True, return_inverse=True)
        found = np.array([self._row_of(*map(int, keys[at])) for at in first], np.int64)
        return found[inverse]

    def _row_of(self, provider: int, model: int, period: int) -> int:
        key = (provider, model, period)
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) >= _MAX_KNOWN:
                self._rows.clear()
            price = self._prices.price(
                self._vocabulary.text(provider), self._vocabulary.text(model), period * _PERIOD_NS
            )
            row = self._rows[key] = _UNKNOWN if price is None else self._learn(price)
        return row

    def _learn(self, price: Price) -> int:
        row = self._distinct.get(price)
        if row is not None:
            return row
        row = self._distinct[price] = len(self._request)
        n_tiers = max(self._rates.shape[1], len(price.tiers))
        rates = np.zeros((row + 1, n_tiers, len(Rates._fields)))
        rates[:, :, 0] = np.inf  # nothing is above that
        rates[:row, : self._rates.shape[1]] = self._rates
        rates[row, : len(price.tiers)] = price.tiers
        self._rates = rates
        self._request = np.append(self._request, price.request)
        return row

    def _count_unknown(self, spans: AgentSpans, rows: NDArray[np.int64]) -> None:
        """Count calls of models alone: the totals above them are the same tokens."""
        rows = rows[np.isin(spans.operation[rows], _INFERENCE)]
        if not len(rows):
            return
        packed = (spans.provider[rows].astype(np.int64) << 32) | spans.model[rows]
        distinct, inverse, calls = np.unique(packed, return_inverse=True, return_counts=True)
        used = np.maximum(spans.input_tokens[rows], 0) + np.maximum(spans.output_tokens[rows], 0)
        tokens = np.bincount(inverse, used).astype(np.int64)
        latest = np.zeros(len(distinct), np.int64)
        np.maximum.at(latest, inverse, spans.end_ns[rows])
        for at, key in enumerate(distinct.tolist()):
            names = self._vocabulary.text(key >> 32), self._vocabulary.text(key & 0xFFFFFFFF)
            self._prices.miss(*names, int(calls[at]), int(tokens[at]), int(latest[at]))


def _costs(spans: AgentSpans, rows: NDArray[np.int64], rates: NDArray[np.float64]) -> NDArray[np.float64]:
    """USD [n] of rows [n] by their rates [n, n_tiers, fields]."""
    given, made, read, written, thought = (
        np.where(column[rows] == NOT_SAID, 0, column[rows])
        for column in (
            spans.input_tokens, spans.output_tokens, spans.cached_tokens, spans.cache_write_tokens,
            spans.reasoning_tokens,
        )
    )  # fmt: skip
    tier = np.maximum((given[:, np.newaxis] > rates[:, :, 0]).sum(axis=1) - 1, 0)
    chosen = Rates(*rates[np.arange(len(rows)), tier].T)
    costs: NDArray[np.float64] = (
        np.maximum(given - read - written, 0) * chosen.input
        + read * chosen.cache_read
        + written * chosen.cache_write
        + np.maximum(made - thought, 0) * chosen.output
        + thought * chosen.reasoning
    )
    return costs
