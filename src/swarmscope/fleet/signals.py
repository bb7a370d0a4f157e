"""Agents that metrics and logs name, whether or not they send spans."""

from __future__ import annotations

import re
from collections.abc import Sequence

from swarmscope.model.contracts import LogReader, Reader
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import Matcher, MatchOperator

_NS_PER_MS = 1_000_000


class NamedAgents:
    """Asks the catalogues for the values of labels that hold agents' names; no data is read."""

    def __init__(
        self, metrics: Reader, logs: LogReader, label_names: Sequence[str], own_metrics: Sequence[str]
    ) -> None:
        """`own_metrics`: series that the program makes itself, which say nothing of an agent's being there."""
        self._metrics, self._logs, self._names = metrics, logs, tuple(label_names)
        own = "|".join(re.escape(name) for name in own_metrics)
        self._foreign = [Matcher(METRIC_NAME, MatchOperator.NOT_REGEX, own)] if own else []

    def names(self, tenant: str, start_ns: int, end_ns: int) -> list[str]:
        """Sorted names of agents that have samples or lines in the range, as far as the catalogues know."""
        start_ms, end_ms = start_ns // _NS_PER_MS, end_ns // _NS_PER_MS
        found: set[str] = set()
        for name in self._names:
            found.update(self._logs.label_values(tenant, name, [], start_ns, end_ns))
            named = [Matcher(name, MatchOperator.NOT_EQUAL, ""), *self._foreign]
            found.update(self._metrics.label_values(tenant, name, [named], start_ms, end_ms))
        return sorted(found - {""})
