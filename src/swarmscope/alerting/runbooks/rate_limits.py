"""When actions ran, so that none runs more often than it may."""

from __future__ import annotations

from collections import defaultdict, deque

from swarmscope.alerting.runbooks.runbook_model import RateLimit
from swarmscope.alerting.runbooks.runs import Run, RunState

_NS_PER_MS = 1_000_000
# Whatever got as far as being about to run; of what is only pretended, pretending is limited alike.
_COUNTED = frozenset({RunState.WAITING, RunState.RUNNING, RunState.DONE, RunState.FAILED, RunState.DRY_RUN,
                      RunState.INTERRUPTED})  # fmt: skip


class RateLimits:
    """Counts by key. Not thread-safe."""

    def __init__(self) -> None:
        self._times_ns: dict[str, deque[int]] = defaultdict(deque)

    def remember(self, run: Run) -> None:
        """A run of an earlier process counts too."""
        if run.state in _COUNTED:
            self._times_ns[run.rate_key].append(run.requested_ns)

    def take(self, key: str, limit: RateLimit, now_ns: int) -> bool:
        """Whether one more may run now; where it may, it counts."""
        times_ns = self._times_ns[key]
        while times_ns and times_ns[0] <= now_ns - limit.per * _NS_PER_MS:
            times_ns.popleft()
        if len(times_ns) >= limit.runs:
            return False
        times_ns.append(now_ns)
        return True


def rate_key(run: Run, limit: RateLimit) -> str:
    """What of a run is limited together."""
    values = [f"{name}={run.labels.get(name, '')}" for name in limit.by]
    return "\x1f".join([run.tenant, run.runbook, run.action, *values])
