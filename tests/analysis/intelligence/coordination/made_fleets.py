"""Spans of fleets for tests, from few words."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from swarmscope.analysis.intelligence.coordination.fleet_spans import FleetSpans

Row = tuple[int, int, float, float] | tuple[int, int, float, float, dict[str, object]]
SECOND_NS = 10**9


def make_fleet(rows: Sequence[Row], links: Sequence[tuple[int, int]] = ()) -> FleetSpans:
    """Spans of (parent row, agent, start, end in seconds, further columns), in one trace unless they say `trace`."""
    further = [row[4] if len(row) > 4 else {} for row in rows]

    def column(name: str, otherwise: object, dtype: type) -> np.ndarray:
        return np.array([more.get(name, otherwise) for more in further], dtype)

    return FleetSpans(
        trace=column("trace", 0, np.int64),
        parent=np.array([row[0] for row in rows], np.int64),
        agent=np.array([row[1] for row in rows], np.int64),
        task=column("task", 0, np.uint64),
        start_ns=np.array([round(row[2] * SECOND_NS) for row in rows], np.int64),
        end_ns=np.array([round(row[3] * SECOND_NS) for row in rows], np.int64),
        is_ended=column("is_ended", True, np.bool_),
        is_ok=column("is_ok", True, np.bool_),
        is_queue_wait=column("is_queue_wait", False, np.bool_),
        link_from=np.array([link[0] for link in links], np.int64),
        link_to=np.array([link[1] for link in links], np.int64),
    )


def team_traces(n: int, failing: int = 0, agents: tuple[int, int, int] = (0, 1, 2)) -> FleetSpans:
    """`n` traces in which one agent works for 1 s, has two others work side by side for 10 s, and ends after 1 s.

    In the first `failing` traces the second of these fails, and with it the trace.
    """
    rows: list[Row] = []
    for trace in range(n):
        root, at, ok = 3 * trace, 100.0 * trace, trace >= failing
        first, second, third = agents
        rows.append((-1, first, at, at + 12, {"trace": trace, "is_ok": ok, "task": 1000 + trace}))
        rows.append((root, second, at + 1, at + 11, {"trace": trace, "task": 2000 + trace}))
        rows.append((root, third, at + 1, at + 11, {"trace": trace, "is_ok": ok, "task": 3000 + trace}))
    return make_fleet(rows)
