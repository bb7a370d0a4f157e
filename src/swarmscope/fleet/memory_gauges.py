"""Memory of agents, which they tell themselves: copies under the label `agent_name` where theirs has another name."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.fleet.series import Family, Labels, SeriesTable, labels
from swarmscope.model.contracts import ReadBudget, Reader
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.series import ABSENT
from swarmscope.model.staleness import is_stale

FAMILIES = (
    Family("agi_memory_usage_bytes", "gauge", "Memory that an agent uses, as it says itself.", "bytes"),
    Family("agi_memory_limit_bytes", "gauge", "Memory that an agent may use, as it says itself.", "bytes"),
)
_OWN_LABEL = "agent_name"
# As far back as Prometheus looks for a sample.
_LOOKBACK_MS = 300_000
_MAX_SAMPLES = 2_000_000


class _Ever:
    """A `Cancellation` that ends nothing; the samples are bounded."""

    remaining_s = math.inf

    def check(self) -> None:
        """Nothing ends it."""


class _Told(NamedTuple):
    """The last value of each series [n_series] of one metric."""

    value: NDArray[np.float64]  # NaN where there is none
    agent: list[str]  # "" for none
    is_own: NDArray[np.bool_]  # the agent stands under `agent_name` already


class MemoryGauges:
    """Reads the senders' series and makes the copies of one tenant. Not thread-safe."""

    def __init__(self, reader: Reader, label_names: Sequence[str], max_rows: int, seed: int) -> None:
        self._reader = reader
        self._names = [name for name in label_names if name != _OWN_LABEL]
        self.table = SeriesTable(FAMILIES, max_rows, seed)

    def refresh(self, tenant: str, now_ms: int) -> None:
        """Copy what is told under other labels; of several series of an agent the sum."""
        values: dict[Labels, list[float | None]] = {}
        for family, (name, *_) in enumerate(FAMILIES):
            told = self._read(tenant, name, now_ms)
            there = {agent for agent, is_own in zip(told.agent, told.is_own.tolist(), strict=True) if is_own}
            # A copy of ours is not a sender's series, though it looks like one.
            there -= self._copied(family)
            for agent, value, is_own in zip(told.agent, told.value.tolist(), told.is_own.tolist(), strict=True):
                if not agent or is_own or agent in there or math.isnan(value):
                    continue
                row = values.setdefault(labels(agent_name=agent), [None] * len(FAMILIES))
                row[family] = (row[family] or 0.0) + value
        self.table.replace(values, now_ms)

    def _copied(self, family: int) -> set[str]:
        """Agents of which copies are shown."""
        rows = np.flatnonzero(self.table.told[:, family]).tolist()
        return {dict(self.table.labels_of(row)).get(_OWN_LABEL, "") for row in rows}

    def _read(self, tenant: str, name: str, now_ms: int) -> _Told:
        begin_ms = now_ms - _LOOKBACK_MS
        matchers = [Matcher(METRIC_NAME, MatchOperator.EQUAL, name)]
        selection = self._reader.select_series(tenant, matchers, begin_ms, now_ms)
        n = selection.labels.n_series
        agent, is_own = [""] * n, np.zeros(n, np.bool_)
        rows = dict(zip(selection.labels.names, selection.labels.codes, strict=True))
        for position in range(n):
            for label in (_OWN_LABEL, *self._names):
                code = int(rows[label][position]) if label in rows else ABSENT
                if code != ABSENT:
                    agent[position], is_own[position] = self._reader.symbols.text(code), label == _OWN_LABEL
                    break
        if not n:
            return _Told(np.zeros(0), agent, is_own)
        samples = self._reader.read_samples(selection, begin_ms, now_ms, ReadBudget(_Ever(), _MAX_SAMPLES))
        ends = samples.offsets[1:]
        value = np.full(n, math.nan)
        has = np.flatnonzero(ends > samples.offsets[:-1])
        value[has] = samples.value[ends[has] - 1]
        value[has[is_stale(value[has])]] = math.nan
        return _Told(value, agent, is_own)
