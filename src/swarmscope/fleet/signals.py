"""Agents that metrics and logs name, whether or not they send spans."""

from __future__ import annotations

from collections.abc import Sequence

from swarmscope.model.contracts import LogReader, Reader

_NS_PER_MS = 1_000_000


class NamedAgents:
    """Asks the catalogues for the values of labels that hold agents' names; no data is read."""

    def __init__(self, metrics: Reader, logs: LogReader, label_names: Sequence[str]) -> None:
        self._metrics, self._logs, self._names = metrics, logs, tuple(label_names)

    def names(self, tenant: str, start_ns: int, end_ns: int, own: frozenset[str] = frozenset()) -> list[str]:
        """Sorted names of agents that have samples or lines in the range, as far as the catalogues know.

        `own`: agents in series that the program itself makes, which say nothing of their being there.
        """
        found: set[str] = set()
        for name in self._names:
            found.update(self._logs.label_values(tenant, name, [], start_ns, end_ns))
            found.update(self._metrics.label_values(tenant, name, [], start_ns // _NS_PER_MS, end_ns // _NS_PER_MS))
        return sorted(found - own - {""})
