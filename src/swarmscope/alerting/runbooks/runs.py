"""Runs of actions: what was asked for, who allowed it, what came of it. Each step is on disk before the next."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum

from swarmscope.instrument.metrics import RUNBOOK_FAILURES
from swarmscope.model.contracts import StateStore
from swarmscope.model.errors import UnavailableError
from swarmscope.model.labels import DEFAULT_TENANT

KIND = "runbook_run"
_log = logging.getLogger(__name__)


class RunState(StrEnum):
    """Where a run is; all but the first three are ends."""

    QUEUED = "queued"
    WAITING = "waiting"  # for approval
    RUNNING = "running"
    DONE = "done"
    DRY_RUN = "dry_run"  # all was checked, and nothing done
    FAILED = "failed"
    SKIPPED = "skipped"  # a precondition did not hold
    LIMITED = "limited"  # the rate limit was hit
    REFUSED = "refused"  # by a person, or because nobody answered in time
    INTERRUPTED = "interrupted"  # the program ended meanwhile; what came of it is not known


ENDED = frozenset(RunState) - {RunState.QUEUED, RunState.WAITING, RunState.RUNNING}


@dataclass(slots=True)
class Run:
    """One run. Times are Unix nanoseconds, 0 for what has not happened."""

    id: str
    runbook: str
    action: str
    kind: str
    state: RunState
    requested_ns: int
    requested_by: str  # a person, or `alert NAME`
    tenant: str = DEFAULT_TENANT
    dry_run: bool = True
    alert: str = ""  # its fingerprint
    alert_starts_ns: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    phase: str = "firing"
    incident: str = ""
    approved_by: str = ""  # a person, or what made approval unnecessary
    started_ns: int = 0
    ended_ns: int = 0
    input: Mapping[str, object] = field(default_factory=dict)  # what was done, templates filled in, without secrets
    output: str = ""
    rate_key: str = ""

    @property
    def cause_key(self) -> tuple[str, str, str, str, int, str]:
        """What must not run twice: an action for one firing (or resolving) of one alert."""
        return (self.tenant, self.runbook, self.action, self.alert, self.alert_starts_ns, self.phase)


def to_record(run: Run) -> bytes:
    """As it is stored."""
    return json.dumps(asdict(run), ensure_ascii=False).encode()


def from_record(record: bytes) -> Run:
    """A run that was stored. Raises ValueError or TypeError for what `to_record` did not write."""
    told = json.loads(record)
    return Run(**told | {"state": RunState(told["state"])})


class RunStore:
    """The newest runs, in memory and on disk. Not thread-safe."""

    def __init__(self, state: StateStore, max_kept: int) -> None:
        """Raises UnavailableError."""
        self._state, self._max_kept = state, max_kept
        self.runs: dict[str, Run] = {}
        loaded = []
        for key, record in state.load(KIND).items():
            try:
                loaded.append(from_record(record))
            except (ValueError, TypeError, KeyError) as error:
                _log.error("the record of run %s cannot be read: %s", key, error)
        for run in sorted(loaded, key=lambda each: (each.requested_ns, each.id)):
            self.runs[run.id] = run

    def write(self, runs: Iterable[Run]) -> bool:
        """Put runs; whether they are on disk."""
        changed = list(runs)
        self.runs |= {run.id: run for run in changed}
        gone = []
        if len(self.runs) > self._max_kept:
            ended = [run.id for run in self.runs.values() if run.state in ENDED]
            gone = ended[: len(self.runs) - self._max_kept]
        for id_ in gone:
            del self.runs[id_]
        try:
            self._state.write(KIND, {run.id: to_record(run) for run in changed} | dict.fromkeys(gone))
        except UnavailableError as error:
            RUNBOOK_FAILURES.labels(stage="write").inc()
            _log.warning("runs of runbooks are not written: %s", error)
            return False
        return True
