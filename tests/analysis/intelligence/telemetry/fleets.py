"""Made fleets whose agents work on their own, or hand their work on."""

from __future__ import annotations

import heapq

import numpy as np

from swarmscope.analysis.intelligence.telemetry.activity import SpanColumns

SECOND_NS = 10**9


def fleet(n_agents: int, n_seconds: float, hand_on: float, seed: int) -> SpanColumns:
    """Spans of agents in a ring, each of which begins work on its own now and then.

    Work takes 0.4 to 0.6 s; when it ends, the next agent is handed it with the chance `hand_on`, and begins 20 to 60 ms
    later. With `hand_on` 0 agents know nothing of each other; their rates differ.
    """
    rng = np.random.default_rng(seed)
    idle_s = rng.uniform(1.0, 3.0, n_agents)  # between what each begins on its own
    queue = [(float(rng.exponential(idle_s[agent])), agent, -1) for agent in range(n_agents)]
    heapq.heapify(queue)
    rows = []
    while queue:
        start, agent, parent = heapq.heappop(queue)
        if start >= n_seconds:
            continue
        end = start + rng.uniform(0.4, 0.6)
        if parent < 0:
            heapq.heappush(queue, (end + float(rng.exponential(idle_s[agent])), agent, -1))
        if rng.random() < hand_on:
            heapq.heappush(queue, (end + rng.uniform(0.02, 0.06), (agent + 1) % n_agents, len(rows)))
        rows.append((agent, start, end, parent))
    columns = np.array(rows)
    return SpanColumns(
        columns[:, 0].astype(np.int32),
        (columns[:, 1] * SECOND_NS).astype(np.int64),
        (columns[:, 2] * SECOND_NS).astype(np.int64),
        columns[:, 3].astype(np.int32),
    )
