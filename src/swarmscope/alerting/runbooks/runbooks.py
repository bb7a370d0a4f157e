"""Runbooks at work: which alerts they are for, their runs, and who allowed them."""

from __future__ import annotations

import contextlib
import logging
import queue
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from swarmscope.alerting.runbooks.command_action import allowed_programs
from swarmscope.alerting.runbooks.execution import Execution, PreconditionError, fulfils
from swarmscope.alerting.runbooks.filled_action import BadActionError, FilledAction
from swarmscope.alerting.runbooks.ports import RunbookPorts, RunbookSettings
from swarmscope.alerting.runbooks.rate_limits import RateLimits, rate_key
from swarmscope.alerting.runbooks.runbook_files import LoadedRunbooks, Runbook, files_state, load_runbooks
from swarmscope.alerting.runbooks.runbook_model import ActionModel
from swarmscope.alerting.runbooks.runs import Run, RunState, RunStore
from swarmscope.instrument.metrics import RUNBOOK_FAILURES, RUNBOOK_RUNS
from swarmscope.model.alerts import Alert
from swarmscope.model.contracts import Clock, StateStore
from swarmscope.model.errors import SwarmscopeError
from swarmscope.model.labels import DEFAULT_TENANT

_log = logging.getLogger(__name__)
LABEL = "runbook"  # of a rule, as a label or an annotation: the name of its runbook
_NS_PER_MS = 1_000_000
_MAX_OUTPUT = 64 * 1024


class UnknownRunError(Exception):
    """There is no such runbook, action or run; the text says which."""


class RunStateError(Exception):
    """A run is not in a state in which that can be done."""


class Runbooks:
    """An `AlertSink` that acts. Whoever hands in alerts waits for nothing. Thread-safe."""

    def __init__(self, settings: RunbookSettings, state: StateStore, ports: RunbookPorts, clock: Clock) -> None:
        """Read runbooks and earlier runs. Raises UnavailableError, ValueError for a program named without its path."""
        self._settings, self._ports, self._clock = settings, ports, clock
        self._execution = Execution(ports, allowed_programs(list(settings.allowed_programs)))
        self._lock = threading.RLock()
        self._store = RunStore(state, settings.max_kept_runs)
        self._limits = RateLimits()
        self._seen: OrderedDict[tuple[object, ...], None] = OrderedDict()
        self._inbox: queue.Queue[Alert] = queue.Queue(settings.max_waiting)
        self._stopping = threading.Event()
        self._pool: ThreadPoolExecutor | None = None
        self._loaded = LoadedRunbooks({}, ())
        self.reload()
        self._go_on_with_runs()

    # Runbooks

    def reload(self) -> LoadedRunbooks:
        """Read the folder again; of a broken file the old runbook stays."""
        self._read_state = files_state(self._settings.folder)
        loaded = load_runbooks(self._settings.folder, self._loaded)
        if loaded.problems and loaded.problems != self._loaded.problems:
            RUNBOOK_FAILURES.labels(stage="load").inc(len(loaded.problems))
            for problem in loaded.problems:
                _log.error("runbooks: %s", problem)
        self._loaded = loaded
        return loaded

    @property
    def loaded(self) -> LoadedRunbooks:
        """All runbooks, and what is wrong with the files of others."""
        return self._loaded

    def runbooks_for(self, labels: Mapping[str, str], annotations: Mapping[str, str]) -> list[Runbook]:
        """Those that an alert names, and those that say it is theirs."""
        named = {labels.get(LABEL, ""), annotations.get(LABEL, "")}
        return [
            runbook
            for runbook in self._loaded.runbooks.values()
            if runbook.name in named or (runbook.matchers and fulfils(labels, runbook.matchers))
        ]

    def advice(self, alerts: Sequence[tuple[Mapping[str, str], Mapping[str, str]]]) -> tuple[str, str]:
        """For alerts (labels, annotations), the most telling first: a runbook's name, and what it recommends."""
        for labels, said in alerts:
            for runbook in self.runbooks_for(labels, said):
                actions = ", ".join(f"{action.name} ({action.kind})" for action in runbook.actions)
                return runbook.name, f"{runbook.title}" + (f": {actions}" if actions else "")
            told = said.get("action") or labels.get("action", "")
            if told:
                return "", told
        return "", ""

    def link(
        self, incident_of: Callable[[str, Mapping[str, str]], str], note: Callable[[str, str, str, str], None]
    ) -> None:
        """From now on these stand in for those of the ports; incidents are made after runbooks, which advise them."""
        self._ports = replace(self._ports, incident_of=incident_of, note=note)

    # Alerts

    def take_alerts(self, alerts: Sequence[Alert]) -> None:
        """As `AlertSink.take_alerts`."""
        if not self._loaded.runbooks:
            return
        for alert in alerts:
            try:
                self._inbox.put_nowait(alert)
            except queue.Full:
                RUNBOOK_FAILURES.labels(stage="queue").inc()

    def look(self) -> None:
        """Look at all alerts that wait, in this thread; actions run in the pool, or here where there is none."""
        while True:
            try:
                self._look_safely(self._inbox.get_nowait())
            except queue.Empty:
                return

    def _look_safely(self, alert: Alert) -> None:
        try:
            self._look_at(alert)
        except Exception:
            RUNBOOK_FAILURES.labels(stage="take").inc()
            _log.exception("runbooks were not looked up for an alert")

    def _look_at(self, alert: Alert) -> None:
        now_ns = self._clock.now_ns()
        phase = "resolved" if alert.is_resolved(now_ns) else "firing"
        for runbook in self.runbooks_for(alert.labels, alert.annotations):
            for action in runbook.actions:
                if action.on != phase:
                    continue
                run = self._new_run(runbook, action, now_ns)
                run.tenant, run.labels, run.annotations = alert.tenant, dict(alert.labels), dict(alert.annotations)
                run.alert, run.alert_starts_ns, run.phase = alert.fingerprint, alert.starts_ns, phase
                run.requested_by = f"alert {alert.name}"
                with self._lock:
                    if run.cause_key in self._seen:
                        continue
                    self._see(run)
                run.incident = self._incident(run)
                self._begin(run)

    def _incident(self, run: Run) -> str:
        try:
            return self._ports.incident_of(run.tenant, run.labels)
        except Exception as error:
            _log.warning("the incident of an alert is not known: %s", error)
            return ""

    # Runs

    def request(
        self, tenant: str, runbook: str, action: str, labels: Mapping[str, str], by: str, dry_run: bool | None = None
    ) -> Run:
        """A person wants an action run, with these labels; `dry_run`: else as the runbook says. Raises UnknownRunError.

        That person is who asks, and may be who approves, by a call of its own.
        """
        known = self._loaded.runbooks.get(runbook)
        if known is None:
            raise UnknownRunError(f"there is no runbook {runbook!r}")
        model = known.action(action)
        if model is None:
            raise UnknownRunError(f"runbook {runbook!r} has no action {action!r}")
        run = self._new_run(known, model, self._clock.now_ns())
        run.tenant, run.labels, run.requested_by = tenant, dict(labels), by
        run.dry_run = self._settings.dry_run_only or (model.dry_run if dry_run is None else dry_run)
        self._begin(run)
        return replace(run)

    def approve(self, tenant: str, id_: str, by: str) -> Run:
        """Somebody allows a run that waits. Raises UnknownRunError and RunStateError."""
        with self._lock:
            run = self._waiting(tenant, id_)
            run.approved_by, run.state = by, RunState.QUEUED
            self._store.write([run])
        self._submit(run)
        return replace(run)

    def refuse(self, tenant: str, id_: str, by: str, why: str = "") -> Run:
        """Somebody does not allow it. Raises UnknownRunError and RunStateError."""
        with self._lock:
            run = self._waiting(tenant, id_)
            self._end(run, RunState.REFUSED, f"refused by {by}" + (f": {why}" if why else ""))
            return replace(run)

    def run(self, tenant: str, id_: str) -> Run:
        """One run. Raises UnknownRunError."""
        with self._lock:
            run = self._store.runs.get(id_)
            if run is None or run.tenant != tenant:
                raise UnknownRunError(f"there is no run {id_!r}")
            return replace(run)

    def runs(self, tenant: str, runbook: str = "", state: str = "") -> list[Run]:
        """A tenant's runs, the newest first."""
        with self._lock:
            return [
                replace(run)
                for run in reversed(self._store.runs.values())
                if run.tenant == tenant and runbook in ("", run.runbook) and state in ("", run.state)
            ]

    def _new_run(self, runbook: Runbook, action: ActionModel, now_ns: int) -> Run:
        return Run(
            id=secrets.token_hex(8), runbook=runbook.name, action=action.name, kind=str(action.kind),
            state=RunState.QUEUED, requested_ns=now_ns, requested_by="", tenant=DEFAULT_TENANT,
            dry_run=action.dry_run or self._settings.dry_run_only,
        )  # fmt: skip

    def _waiting(self, tenant: str, id_: str) -> Run:
        run = self._store.runs.get(id_)
        if run is None or run.tenant != tenant:
            raise UnknownRunError(f"there is no run {id_!r}")
        if run.state is not RunState.WAITING:
            raise RunStateError(f"run {id_!r} is {run.state} and waits for nobody")
        return run

    def _see(self, run: Run) -> None:
        self._seen[run.cause_key] = None
        while len(self._seen) > self._settings.seen:
            self._seen.popitem(last=False)

    def _begin(self, run: Run) -> None:
        with self._lock:
            self._store.write([run])
        self._submit(run)

    def _submit(self, run: Run) -> None:
        pool = self._pool
        if pool is None:
            self._work(run)
            return
        try:
            pool.submit(self._work, run)
        except RuntimeError:  # it is being shut down; at the next start it is told as interrupted
            _log.warning("run %s is not begun: the program ends", run.id)

    def _work(self, run: Run) -> None:
        """All of a run, in a thread of the pool; never raises."""
        try:
            model = self._model(run)
            filled = self._execution.prepare(run, model)
            if not self._may_go_on(run, model, filled):
                return
            output = self._execution.carry_out(run, filled, self._clock.now_ns())
            self._end(run, RunState.DONE, output)
        except PreconditionError as error:
            self._end(run, RunState.SKIPPED, str(error))
        except (SwarmscopeError, UnknownRunError) as error:
            self._end(run, RunState.FAILED, str(error))
        except Exception as error:
            _log.exception("run %s failed", run.id)
            self._end(run, RunState.FAILED, f"{type(error).__name__}: {error}")

    def _model(self, run: Run) -> ActionModel:
        runbook = self._loaded.runbooks.get(run.runbook)
        model = runbook.action(run.action) if runbook is not None else None
        if model is None:
            raise UnknownRunError(f"runbook {run.runbook!r} has no action {run.action!r} any more")
        if str(model.kind) != run.kind:
            raise BadActionError(f"action {run.action!r} was changed after it was asked for")
        return model

    def _may_go_on(self, run: Run, model: ActionModel, filled: FilledAction) -> bool:
        """Whether the action is to be carried out now; where it is, that is on disk."""
        with self._lock:
            now_ns = self._clock.now_ns()
            shown = filled.shown()
            if run.approved_by and run.input and shown != run.input:
                raise BadActionError("what it would do is not what was approved")
            run.input = shown
            if not run.approved_by:
                run.rate_key = rate_key(run, model.rate_limit)
                if not self._limits.take(run.rate_key, model.rate_limit, now_ns):
                    limit = model.rate_limit
                    self._end(run, RunState.LIMITED, f"{limit.runs} runs in {limit.per // 1000} s are what it may have")
                    return False
            if run.dry_run:
                self._end(run, RunState.DRY_RUN, "nothing was done: this is a dry run")
                return False
            if model.approval == "required" and not run.approved_by:
                run.state = RunState.WAITING
                RUNBOOK_RUNS.labels(kind=run.kind, outcome=str(RunState.WAITING)).inc()
                self._store.write([run])
                self._tell(run, f"{run.runbook}: {run.action} waits for approval")
                return False
            run.approved_by = run.approved_by or f"runbook {run.runbook} (approval: none)"
            run.state, run.started_ns = RunState.RUNNING, now_ns
            if not self._store.write([run]):
                raise BadActionError("it cannot be recorded, so it is not done")
            return True

    def _end(self, run: Run, state: RunState, output: str) -> None:
        with self._lock:
            run.state, run.ended_ns, run.output = state, self._clock.now_ns(), output[:_MAX_OUTPUT]
            self._store.write([run])
        RUNBOOK_RUNS.labels(kind=run.kind, outcome=str(state)).inc()
        self._tell(run, f"{run.runbook}: {run.action} {state}: {output[:200]}")

    def _tell(self, run: Run, text: str) -> None:
        try:
            self._ports.write_runs([run])
            if run.incident:
                self._ports.note(run.tenant, run.incident, "runbook", text)
        except Exception as error:
            RUNBOOK_FAILURES.labels(stage="line").inc()
            _log.warning("a run was not told: %s", error)

    # Life

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Act on alerts while the context lives; actions that run when it ends are waited for."""
        self._pool = ThreadPoolExecutor(self._settings.workers, "runbook")
        thread = threading.Thread(target=self._run, name="runbooks", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stopping.set()
            thread.join()
            self._pool.shutdown(wait=True, cancel_futures=True)

    def tick(self) -> None:
        """What time asks for: files that changed, approvals that nobody gave."""
        if files_state(self._settings.folder) != self._read_state:
            self.reload()
        now_ns = self._clock.now_ns()
        with self._lock:
            waiting = [run for run in self._store.runs.values() if run.state is RunState.WAITING]
        for run in waiting:
            runbook = self._loaded.runbooks.get(run.runbook)
            model = runbook.action(run.action) if runbook is not None else None
            if model is None or now_ns - run.requested_ns > model.approval_timeout * _NS_PER_MS:
                with self._lock:
                    if run.state is RunState.WAITING:
                        self._end(run, RunState.REFUSED, "nobody approved it in time")

    def _run(self) -> None:
        looked_s = 0.0
        while not self._stopping.is_set():
            with contextlib.suppress(queue.Empty):
                self._look_safely(self._inbox.get(timeout=0.2))
            now_s = self._clock.now_ns() / 1e9
            if not 0 <= now_s - looked_s < self._settings.look_every_s:
                looked_s = now_s
                try:
                    self.tick()
                except Exception:
                    RUNBOOK_FAILURES.labels(stage="load").inc()
                    _log.exception("runbooks were not looked after")

    def _go_on_with_runs(self) -> None:
        """What an earlier process did not finish is not begun again: who knows how far it came."""
        for run in list(self._store.runs.values()):
            if run.alert:
                self._see(run)
            if run.state in (RunState.QUEUED, RunState.RUNNING):
                self._end(run, RunState.INTERRUPTED, "the program ended meanwhile")
            self._limits.remember(run)
