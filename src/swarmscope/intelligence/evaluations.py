"""The watch over evaluations: finds out whose work was judged, and writes the series of what evaluators said."""

from __future__ import annotations

import logging
import math
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import orjson

from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.fleet.series import Moment
from swarmscope.instrument.metrics import EVALUATION_FAILURES, REFUSED_EVALUATIONS
from swarmscope.intelligence.response_ids import ResponseIds
from swarmscope.intelligence.run_results import Result
from swarmscope.intelligence.score_series import Score, ScoreSettings, TenantScores
from swarmscope.model.contracts import Clock, SeriesIndex, Sink
from swarmscope.model.errors import UnavailableError
from swarmscope.model.evaluations import Evaluation, Responses

_log = logging.getLogger(__name__)
_NS_PER_S, _NS_PER_MS = 1_000_000_000, 1_000_000
_LOOK_S = 1.0  # how often it is asked whose work was judged
_MAX_RESULTS = 20_000  # of runs that wait
_KEEP_S = 60.0  # between two writes of what outlives the process
_VERSION = 1  # of the file


class AgentLookup(Protocol):
    """Tells whose work a span is."""

    def __call__(self, tenant: str, span_key: int) -> str | None:
        """The agent's name, "" where it is nobody's, None where that is not known yet. Thread-safe."""
        ...


@dataclass(frozen=True, slots=True)
class EvaluationSettings:
    """How evaluations are watched, and how much memory that may take."""

    scores: ScoreSettings
    interval_s: float = 15.0  # between two samples of a series
    patience_s: float = 120.0  # how long a result waits for the span that it is of
    max_waiting: int = 50_000  # results of all tenants
    max_tenants: int = 50


class EvaluationOutlets(NamedTuple):
    """Where series go, what knows them there, and the file that carries scores over a restart."""

    metrics: Sink
    series: SeriesIndex
    file: Path


class _Waiting(NamedTuple):
    tenant: str
    found: Evaluation
    arrived_ns: int
    due_ns: int  # when it is asked next whose work was judged: the longer it waits, the less often


class EvaluationWatch:
    """An `EvaluationObserver`. `start` begins to work on what is observed, `close` writes one last time."""

    def __init__(
        self, settings: EvaluationSettings, outlets: EvaluationOutlets, agent_of: AgentLookup | None, clock: Clock
    ) -> None:
        """Without `agent_of` nobody knows whose work a span is, and names that results bring are all there is."""
        self._settings, self._outlets, self._agent_of, self._clock = settings, outlets, agent_of, clock
        self._lock = threading.Lock()  # over what waits, and over responses
        self._waiting: list[_Waiting] = []
        self._results: list[tuple[str, Result]] = []
        self._responses: dict[str, ResponseIds] = {}
        self._tenants: dict[str, TenantScores] = {}
        self._born_ms = clock.now_ns() // _NS_PER_MS
        self._published_ns = self._kept_ns = clock.now_ns()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # What others call

    def observe_evaluations(self, tenant: str, found: Sequence[Evaluation]) -> None:
        """As `EvaluationObserver.observe_evaluations`."""
        now_ns = self._clock.now_ns()
        with self._lock:
            room = max(self._settings.max_waiting - len(self._waiting), 0)
            self._waiting.extend(_Waiting(tenant, each, now_ns, now_ns) for each in found[:room])
        if len(found) > room:
            REFUSED_EVALUATIONS.labels(reason="overload").inc(len(found) - room)

    def observe_responses(self, tenant: str, responses: Responses) -> None:
        """As `EvaluationObserver.observe_responses`."""
        with self._lock:
            known = self._responses.get(tenant)
            if known is None and len(self._responses) < self._settings.max_tenants:
                known = self._responses[tenant] = ResponseIds()
            if known is not None:
                known.put(responses)

    def observe_results(self, tenant: str, results: Sequence[Result]) -> None:
        """How agents' runs ended: milestones are looked for in these. Returns at once."""
        with self._lock:
            self._results += [(tenant, each) for each in results][: max(_MAX_RESULTS - len(self._results), 0)]

    def start(self) -> None:
        """Begin, on a thread of its own, with what an earlier process has kept."""
        self.recover()
        self._thread = threading.Thread(target=self._run, name="evaluations", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Count what can be counted, write, and end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        now_ns = self._clock.now_ns()
        self._settle(now_ns)
        self._publish(now_ns)
        self._keep()

    # What the thread does

    def step(self) -> None:
        """Count what has come, and do what is due."""
        now_ns = self._clock.now_ns()
        self._settle(now_ns)
        if not 0 <= now_ns - self._published_ns < round(self._settings.interval_s * _NS_PER_S):
            self._published_ns = now_ns
            self._publish(now_ns)
        if not 0 <= now_ns - self._kept_ns < round(_KEEP_S * _NS_PER_S):
            self._kept_ns = now_ns
            self._keep()

    def recover(self) -> None:
        """Go on from what an earlier process has kept."""
        try:
            kept = orjson.loads(self._outlets.file.read_bytes())
            if kept["version"] != _VERSION:
                raise ValueError(f"its version is {kept['version']}")
            for name, scores in kept["tenants"].items():
                tenant = self._admit(name)
                if tenant is not None:
                    tenant.restore(scores)
            for name, fields in kept["waiting"]:
                self.observe_evaluations(name, [Evaluation(fields[0], _from_json(fields[1]), *fields[2:])])
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError, ModelError) as error:
            EVALUATION_FAILURES.labels(stage="recover").inc()
            _log.warning("scores of an earlier process are not known: %s: %s", self._outlets.file, error)
            self._tenants.clear()

    def _run(self) -> None:
        while not self._stopping.wait(_LOOK_S):
            try:
                self.step()
            except Exception as error:
                self._fail("step", error)

    def _settle(self, now_ns: int) -> None:
        with self._lock:
            due = [each for each in self._waiting if each.due_ns <= now_ns or now_ns < each.arrived_ns]
            self._waiting = [each for each in self._waiting if each.arrived_ns <= now_ns < each.due_ns]
            responders = self._responders(due)
            results, self._results = self._results, []
        for name, result in results:
            tenant = self._admit(name)
            if tenant is not None:
                tenant.learning.observe(result.task, result.value, result.time_ns)
        patience_ns = round(self._settings.patience_s * _NS_PER_S)
        left = []
        for each, responder in zip(due, responders, strict=True):
            waited_ns = now_ns - each.arrived_ns
            agent = self._whose(each, responder, must_settle=not 0 <= waited_ns < patience_ns)
            if agent is None:
                left.append(each._replace(due_ns=now_ns + max(waited_ns, round(_LOOK_S * _NS_PER_S))))
            else:
                self._count(each, agent, now_ns)
        with self._lock:
            self._waiting += left

    def _responders(self, waiting: Sequence[_Waiting]) -> list[int]:
        """The key of the span that gave the response which each result is of; 0 where none is known."""
        keys = [0] * len(waiting)
        for tenant, known in self._responses.items():
            asked = [at for at, each in enumerate(waiting) if each.tenant == tenant and each.found.response]
            for at, key in zip(asked, known.spans_of([waiting[at].found.response for at in asked]), strict=True):
                keys[at] = key
        return keys

    def _whose(self, waiting: _Waiting, responder: int, *, must_settle: bool) -> str | None:
        """The agent whose work was judged, "" for none; None while that may still turn out."""
        found = waiting.found
        if found.is_explicit or self._agent_of is None:
            return found.agent
        if found.response and not responder and not must_settle:
            return None
        for key in (responder, found.span_key):
            if not key:
                continue
            agent = self._agent_of(waiting.tenant, key)
            if agent or (agent is None and not must_settle):
                return agent
        return found.agent

    def _count(self, waiting: _Waiting, agent: str, now_ns: int) -> None:
        tenant = self._admit(waiting.tenant)
        if tenant is None:
            REFUSED_EVALUATIONS.labels(reason="tenants").inc()
            return
        found = waiting.found
        tenant.add(Score(agent, found.name, float(found.score), found.label), now_ns)

    def _admit(self, name: str) -> TenantScores | None:
        tenant = self._tenants.get(name)
        if tenant is None and len(self._tenants) < self._settings.max_tenants:
            tenant = self._tenants[name] = TenantScores(name, self._settings.scores, self._outlets.series.seed)
        return tenant

    def _publish(self, now_ns: int) -> None:
        now_ms, interval_ms = now_ns // _NS_PER_MS, round(self._settings.interval_s * 1000)
        for tenant in self._tenants.values():
            if now_ms < tenant.published_ms + 2:
                continue  # the clock went back: a sample would be older than the last one
            moment = Moment(now_ms, max(tenant.published_ms + 1, self._born_ms, now_ms - interval_ms))
            try:
                publication = tenant.publication(self._outlets.series, moment)
                if len(publication.batch.value):
                    self._outlets.metrics.write_metrics(publication.batch)
                publication.written()
            except Exception as error:
                self._fail("series", error)

    def _keep(self) -> None:
        if not self._waiting and not any(tenant.is_changed for tenant in self._tenants.values()):
            return
        with self._lock:
            waiting = [[each.tenant, list(each.found)] for each in self._waiting]
        # NaN becomes null.
        kept = {
            "version": _VERSION,
            "tenants": {name: each.to_json() for name, each in self._tenants.items()},
            "waiting": waiting,
        }
        draft = self._outlets.file.with_suffix(".new")
        try:
            draft.write_bytes(orjson.dumps(kept))
            os.replace(draft, self._outlets.file)
        except OSError as error:
            self._fail("keep", error)
            return
        for tenant in self._tenants.values():
            tenant.is_changed = False

    def _fail(self, stage: str, error: Exception) -> None:
        EVALUATION_FAILURES.labels(stage=stage).inc()
        if isinstance(error, UnavailableError | OSError):
            _log.warning("the watch over evaluations: %s: %s", stage, error)
        else:
            _log.error("the watch over evaluations: %s", stage, exc_info=error)


def _from_json(score: float | None) -> float:
    return math.nan if score is None else float(score)
