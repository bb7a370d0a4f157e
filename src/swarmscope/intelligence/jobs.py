"""Computations that take minutes: begun, looked at, and cancelled."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any

from swarmscope.intelligence.computer import ComputationEndedError, ComputationFailedError, Computer
from swarmscope.intelligence.measurement import Measurement
from swarmscope.model.errors import UnavailableError

_MAX_WAITING = 4  # that have not ended
_MAX_KEPT = 100


class TooManyJobsError(Exception):
    """There is no room for another one now."""


@dataclass(slots=True)
class Job:
    """One computation; `state` is waiting, running, done, failed or cancelled."""

    id: str
    tenant: str
    kind: str
    state: str = "waiting"
    progress: float = 0.0
    results: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    cancelled: threading.Event = field(default_factory=threading.Event)

    @property
    def has_ended(self) -> bool:
        """Whether nothing changes any more."""
        return self.state in ("done", "failed", "cancelled")

    def to_json(self) -> dict[str, Any]:
        """All that is told of it."""
        told: dict[str, Any] = {"id": self.id, "kind": self.kind, "state": self.state, "progress": self.progress}
        if self.state == "done":
            told["results"] = self.results
        if self.error:
            told["error"] = self.error
        return told


class Jobs:
    """One runs at a time, in a process of its own; `close` gives up all. Thread-safe."""

    def __init__(self, timeout_s: float, niceness: int = 0) -> None:
        self._timeout_s = timeout_s
        self._computer = Computer(niceness)
        self._lock = threading.Lock()
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._threads: list[threading.Thread] = []

    def begin(self, tenant: str, measurement: Measurement) -> Job:
        """Begin one. Raises TooManyJobsError where too many wait already."""
        job = Job(secrets.token_hex(8), tenant, measurement.kind)
        with self._lock:
            if sum(not each.has_ended for each in self._jobs.values()) >= _MAX_WAITING:
                raise TooManyJobsError(f"{_MAX_WAITING} long computations are under way; try again when one has ended")
            self._jobs[job.id] = job
            for ended in [each.id for each in self._jobs.values() if each.has_ended][:-_MAX_KEPT]:
                del self._jobs[ended]
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(
                target=self._run, args=(job, measurement), name="intelligence-job", daemon=True
            )  # fmt: skip
            self._threads.append(thread)
        thread.start()
        return job

    def job(self, tenant: str, number: str) -> Job | None:
        """One of a tenant's own."""
        with self._lock:
            found = self._jobs.get(number)
        return found if found is not None and found.tenant == tenant else None

    def cancel(self, job: Job) -> None:
        """Nobody waits for it any more."""
        job.cancelled.set()

    def close(self) -> None:
        """Give up all."""
        with self._lock:
            jobs, threads = list(self._jobs.values()), list(self._threads)
        for job in jobs:
            job.cancelled.set()
        self._computer.close()
        for thread in threads:
            thread.join()

    def _run(self, job: Job, measurement: Measurement) -> None:
        def progress(part: float) -> None:
            job.state, job.progress = "running", part

        try:
            done = self._computer.measure(
                measurement, self._timeout_s, progress=progress, cancelled=job.cancelled.is_set
            )
        except (ComputationFailedError, ComputationEndedError, UnavailableError) as error:
            job.error, job.state = str(error), "cancelled" if job.cancelled.is_set() else "failed"
            return
        job.results, job.progress, job.state = done.results, 1.0, "done"
