"""The pretended fleet at work: history first, as fast as it is taken, then real time."""

from __future__ import annotations

import os
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from swarmscope.app.demo.faults.truth import write_truth
from swarmscope.app.demo.simulation.events import Event, Measured
from swarmscope.app.demo.simulation.timeline import NS_PER_S
from swarmscope.app.demo.story import ALL_FAULTS, Simulation
from swarmscope.app.demo.wire.metrics import FleetMetrics
from swarmscope.app.demo.wire.open_steps import OpenSteps
from swarmscope.app.demo.wire.requests import log_request, trace_request
from swarmscope.app.demo.wire.resources import Resources
from swarmscope.app.demo.wire.sending import Sender

_TICK_S = 1.0
_CHUNK_NS = 30 * NS_PER_S  # of history, at once
# Of history every third measurement is told: each 15 seconds.
_HISTORY_MEASUREMENTS = 3
_TRUTH_EVERY_S = 5.0


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """What the fleet is to do."""

    endpoint: str  # OTLP/HTTP
    token: str | None = None
    seed: int = 1
    rate: float = 1.0
    since_s: float = 0.0  # how much history comes first
    duration_s: float | None = None  # of real time; None: until it is stopped
    truth: Path | None = None
    faults: tuple[str, ...] = ALL_FAULTS


class DemoFleet:
    """One run."""

    def __init__(self, options: DemoOptions, stopping: threading.Event) -> None:
        """Raises ValueError for an endpoint that is no address."""
        self._options, self._stopping = options, stopping
        self._start_ns = time.time_ns() - int(options.since_s * NS_PER_S)
        resources = Resources(f"{options.seed}-{self._start_ns // NS_PER_S:x}")
        self.sender = Sender(options.endpoint, options.token, stopping)
        self.simulation = Simulation(options.seed, self._start_ns, options.faults, options.rate)
        self._resources = resources
        self._metrics = FleetMetrics(self._start_ns, resources)
        self._open = OpenSteps()
        self._measurements = 0
        self._truth_due_s = 0.0

    def run(self) -> None:
        """Until the event is set, or the duration is over."""
        now_ns = self._fill()
        end_ns = None if self._options.duration_s is None else now_ns + int(self._options.duration_s * NS_PER_S)
        while not (self._stopping.is_set() or (end_ns is not None and now_ns >= end_ns)):
            now_ns = time.time_ns()
            self._tell(self.simulation.advance(now_ns), now_ns, is_history=False)
            if time.monotonic() >= self._truth_due_s:
                self._write_truth()
            self._stopping.wait(_TICK_S)
        self._write_truth()
        self.sender.close()

    def _fill(self) -> int:
        """Send what happened until now; the time that it has become."""
        at_ns = self._start_ns
        while (now_ns := time.time_ns()) - at_ns > _CHUNK_NS and not self._stopping.is_set():
            at_ns += _CHUNK_NS
            self._tell(self.simulation.advance(at_ns), at_ns, is_history=True)
        return now_ns

    def _tell(self, events: list[Event], now_ns: int, *, is_history: bool) -> None:
        failed_before = self.sender.n_dropped
        self._open.follow(events)
        # What was open in the past and is no more needs no telling.
        open_steps = [] if is_history else self._open.take_due(now_ns)
        self.sender.send("traces", trace_request(events, self._resources))
        self.sender.send("logs", log_request(events, open_steps, now_ns, self._resources))
        begin = 0
        for position, event in enumerate(events):
            if isinstance(event, Measured):
                self._measurements += 1
                if not is_history or self._measurements % _HISTORY_MEASUREMENTS == 0:
                    self._metrics.follow(events[begin : position + 1])
                    begin = position + 1
                    self.sender.send("metrics", self._metrics.request(event.at_ns))
        self._metrics.follow(events[begin:])
        if self.sender.n_dropped > failed_before:
            sys.stderr.write(f"demo: {self._options.endpoint} took not all: {self.sender.last_failure}\n")

    def _write_truth(self) -> None:
        if self._options.truth is not None:
            write_truth(self._options.truth, self._options.seed, self._start_ns, self.simulation.truth)
            self._truth_due_s = time.monotonic() + _TRUTH_EVERY_S


def be_modest() -> None:
    """Let the server go first where both want a core."""
    if hasattr(os, "nice"):
        os.nice(10)
