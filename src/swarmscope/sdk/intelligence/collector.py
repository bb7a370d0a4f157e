"""The collector of intelligence metrics: reads brain states, and takes values from whoever has them."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from swarmscope.sdk.configuration import current, current_meter
from swarmscope.sdk.intelligence.brain_state import BrainState, BrainStateError, check_brain_state
from swarmscope.sdk.intelligence.computation import Computation, compute
from swarmscope.sdk.intelligence.families import (
    CounterFamily,
    Family,
    GaugeFamily,
    HistogramFamily,
    SummaryFamily,
    to_exposition,
)
from swarmscope.sdk.intelligence.process_resources import ProcessorUse, resident_bytes
from swarmscope.sdk.intelligence.sources import Source, to_source
from swarmscope.sdk.intelligence.summaries import summary_edit
from swarmscope.sdk.telemetry import Telemetry, edits_of_all

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

_logger = logging.getLogger("swarmscope.sdk")
AGENT_NAME = "gen_ai.agent.name"
COHERENCE_BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_WHOLE_REGION = "all"  # the layer of a region that does not tell its layers
_MAX_MILESTONES_KNOWN = 100_000


class IntelligenceMetricsCollector:
    """Emits what brain states and callers say, over OTLP and for scraping; it invents nothing.

    `source` is a folder, an http(s) address, a callable that gives a brain state, or nothing: then values come through
    `record` and the other `record_…` methods alone. Metrics go to `telemetry`, to a `meter_provider`, or to where this
    SDK is configured to send them; have one collector for each of these. A gauge that is not told again for
    `expires_s` disappears. `computation` is asked about each state; what it finds is emitted with what the state says.
    """

    def __init__(
        self,
        source: str | Path | Callable[[], Any] | None = None,
        *,
        telemetry: Telemetry | None = None,
        meter_provider: MeterProvider | None = None,
        headers: Mapping[str, str] | None = None,
        expires_s: float = 300.0,
        computation: Computation | None = None,
    ) -> None:
        self._computation = computation
        self._source: Source | None = None if source is None else to_source(source, headers=headers)
        self._revision: object = None
        self._milestones: OrderedDict[str, None] = OrderedDict()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._registry: CollectorRegistry | None = None
        self._processor = ProcessorUse()
        self.n_failures = 0  # readings that gave no state
        self._make_prometheus_families(expires_s)
        self._make_opentelemetry_families(expires_s)
        telemetry = telemetry or (current() if meter_provider is None else None)
        self._make_instruments(current_meter(telemetry.meter_provider if telemetry is not None else meter_provider))
        if telemetry is not None:
            telemetry.metric_edits.append(summary_edit(self._coordination))
        elif meter_provider is None:  # OpenTelemetry's global one: whatever will be configured later
            edits_of_all.append(summary_edit(self._coordination))

    def _make_prometheus_families(self, expires_s: float) -> None:
        self._phi = GaugeFamily(
            "agi_consciousness_phi", "Integrated information, by how it was computed.",
            ("brain_region", "integration_type"), expires_s,
        )  # fmt: skip
        self._emergence = GaugeFamily(
            "agi_emergence_score", "How much the whole has that its parts have not.",
            ("pattern_type", "agent_cluster"), expires_s,
        )  # fmt: skip
        self._coherence = HistogramFamily(
            "agi_neural_coherence", "Coherence of regions, by layer.", ("region", "layer"), COHERENCE_BOUNDS
        )
        self._coordination = SummaryFamily(
            "agi_agent_coordination_score", "How well agents work together.", ("agent_group", "task_type")
        )
        self._learnt = CounterFamily(
            "agi_learning_milestones_total", "Milestones of learning.", ("milestone_type", "knowledge_domain")
        )
        self.families: tuple[Family, ...] = (
            self._phi, self._emergence, self._coherence, self._coordination, self._learnt,
        )  # fmt: skip

    def _make_opentelemetry_families(self, expires_s: float) -> None:
        self._last_coherence = GaugeFamily("intelligence.coherence", "", ("region", "layer"), expires_s)
        self._optimization = GaugeFamily("intelligence.optimization", "", (), expires_s)
        self._activity = CounterFamily("agent.activity.total", "", (AGENT_NAME, "gen_ai.operation.name"))
        self._errors = CounterFamily("agent.errors.total", "", (AGENT_NAME, "error.type"))
        self._cores = GaugeFamily("resource.cpu.usage", "", (AGENT_NAME,), expires_s)
        self._memory = GaugeFamily("resource.memory.usage", "", (AGENT_NAME,), expires_s)

    def _make_instruments(self, meter: Meter) -> None:
        """No unit where a translation of names would append it to a name that is exact."""
        gauges: tuple[tuple[str, str, list[Callable[[CallbackOptions], list[Observation]]]], ...] = (
            (self._phi.name, self._phi.documentation, [self._phi.observe]),
            (self._emergence.name, self._emergence.documentation, [self._emergence.observe]),
            ("intelligence.phi", "Integrated information.", [self._phi.observe]),
            ("intelligence.optimization", "Optimization.", [self._optimization.observe]),
            ("intelligence.coherence", "Coherence, the last value.", [self._last_coherence.observe]),
            ("resource.cpu.usage", "Cores in use.", [self._cores.observe, self._observe_cores]),
            ("resource.memory.usage", "Bytes in use.", [self._memory.observe, self._observe_memory]),
        )
        for name, description, callbacks in gauges:
            meter.create_observable_gauge(name, callbacks, description=description)
        for counter, description in (
            (self._learnt, self._learnt.documentation),
            (self._activity, "What agents have done."),
            (self._errors, "What went wrong with that."),
        ):
            meter.create_observable_counter(counter.name, [counter.observe], description=description)
        coherence = meter.create_histogram(
            self._coherence.name, description=self._coherence.documentation,
            explicit_bucket_boundaries_advisory=list(COHERENCE_BOUNDS),
        )  # fmt: skip
        coordination = meter.create_histogram(self._coordination.name, description=self._coordination.documentation)
        self._coherence.push = lambda value, labels: coherence.record(value, dict(labels))
        self._coordination.push = lambda value, labels: coordination.record(value, dict(labels))

    def _observe_cores(self, _: CallbackOptions) -> list[Observation]:
        cores = None if self._cores.samples() else self._processor.cores()
        return [] if cores is None else [Observation(cores)]

    def _observe_memory(self, _: CallbackOptions) -> list[Observation]:
        resident = None if self._memory.samples() else resident_bytes()
        return [] if resident is None else [Observation(resident)]

    # What callers tell.

    def record(self, state: BrainState) -> None:
        """Take a brain state. Raises BrainStateError, and then takes nothing of it, if it does not have its shape.

        What it says has been taken where the computation fails, which raises BrainStateError as well.
        """
        self._take(check_brain_state(state))

    def record_phi(self, value: float, *, brain_region: str, integration_type: str) -> None:
        """Integrated information of a region, and the definition that it was computed by."""
        self._phi.set(value, brain_region, integration_type)

    def record_emergence(self, value: float, *, pattern_type: str, agent_cluster: str) -> None:
        """An emergence score."""
        self._emergence.set(value, pattern_type, agent_cluster)

    def record_coherence(self, value: float, *, region: str, layer: str = _WHOLE_REGION) -> None:
        """One measurement of a region's coherence, 0 to 1."""
        self._coherence.record(value, region, layer)
        self._last_coherence.set(value, region, layer)

    def record_coordination(self, value: float, *, agent_group: str, task_type: str) -> None:
        """One measurement of how well a group works together."""
        self._coordination.record(value, agent_group, task_type)

    def record_milestone(self, milestone_type: str, knowledge_domain: str, milestone_id: str = "") -> None:
        """Something was learnt; one with an id is counted once."""
        if milestone_id:
            with self._lock:
                if milestone_id in self._milestones:
                    self._milestones.move_to_end(milestone_id)
                    return
                self._milestones[milestone_id] = None
                if len(self._milestones) > _MAX_MILESTONES_KNOWN:
                    self._milestones.popitem(last=False)
        self._learnt.add(1, milestone_type, knowledge_domain)

    def record_optimization(self, value: float) -> None:
        """How far an optimization has come, in the caller's measure."""
        self._optimization.set(value)

    def record_activity(self, agent: str, operation: str = "", amount: int = 1) -> None:
        """An agent has done something."""
        self._activity.add(amount, agent, operation)

    def record_error(self, agent: str, error_type: str = "", amount: int = 1) -> None:
        """Something an agent did went wrong."""
        self._errors.add(amount, agent, error_type)

    def observe_span(self, span: ReadableSpan) -> None:
        """Count a span as its agent's activity, and as an error if it is one: an analytics hook.

        Spans that do not name an agent, by themselves or by their resource, count for nobody.
        """
        attributes = span.attributes or {}
        named = (attributes.get(AGENT_NAME), attributes.get("agent.source"), span.resource.attributes.get(AGENT_NAME))
        agent = next((str(name) for name in named if name), "")
        if not agent:
            return
        self.record_activity(agent, str(attributes.get("gen_ai.operation.name", "")))
        if span.status.status_code is StatusCode.ERROR:
            self.record_error(agent, str(attributes.get("error.type", "")))

    def _take(self, state: BrainState) -> None:
        self._apply(state)
        if self._computation is not None:
            self._apply(compute(self._computation, state))

    def _apply(self, state: BrainState) -> None:
        for each in state.get("phi", ()):
            self.record_phi(each["value"], brain_region=each["brain_region"], integration_type=each["integration_type"])
        for each in state.get("emergence", ()):
            self.record_emergence(each["value"], pattern_type=each["pattern_type"], agent_cluster=each["agent_cluster"])
        for region, layer, value in _coherences(state):
            self.record_coherence(value, region=region, layer=layer)
        for each in state.get("coordination", ()):
            self.record_coordination(each["value"], agent_group=each["agent_group"], task_type=each["task_type"])
        for each in state.get("milestones", ()):
            self.record_milestone(each["milestone_type"], each["knowledge_domain"], each["id"])
        for each in state.get("resources", ()):
            if "cpu" in each:
                self._cores.set(each["cpu"], each["agent"])
            if "memory_bytes" in each:
                self._memory.set(each["memory_bytes"], each["agent"])
        if "optimization" in state:
            self.record_optimization(state["optimization"])

    # Reading the source.

    def collect(self) -> bool:
        """Read the source once; whether it gave a state that is new. Raises BrainStateError, ValueError without source.

        A state with the timestamp, or from files with the time, of the one before counts nothing again. Where the
        computation fails, what the state says has been taken.
        """
        if self._source is None:
            raise ValueError("this collector has no source")
        try:
            reading = self._source()
        except BrainStateError:
            raise
        except Exception as error:  # a callable may raise anything
            raise BrainStateError(f"the source failed: {type(error).__name__}: {error}") from error
        state = check_brain_state(reading.state)
        revision = state.get("timestamp", reading.revision)
        if revision is not None and revision == self._revision:
            return False
        self._revision = revision
        self._take(state)
        return True

    def start(self, interval_s: float = 15.0) -> None:
        """Read the source every `interval_s` in a thread of its own; failures are logged and counted."""
        if self._source is None:
            raise ValueError("this collector has no source")
        if self._thread is None:
            self._stopped.clear()
            self._thread = threading.Thread(
                target=self._run, args=(interval_s,), name="swarmscope-sdk-intelligence", daemon=True
            )
            self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Read no more."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def _run(self, interval_s: float) -> None:
        failing = False
        while True:
            try:
                self.collect()
                failing = False
            except Exception as error:
                self.n_failures += 1
                if not failing:
                    _logger.warning("no brain state: %s", error)
                failing = True
            if self._stopped.wait(interval_s):
                return

    # Scraping.

    def exposition(self) -> str:
        """The Prometheus metrics in Prometheus' text format (`text/plain; version=0.0.4`)."""
        return to_exposition(self.families)

    @property
    def registry(self) -> CollectorRegistry:
        """The Prometheus metrics in a registry of their own, for `prometheus_client`, which has to be installed."""
        if self._registry is None:
            # The SDK does without it; whoever asks for a registry has it.
            from swarmscope.sdk.intelligence.scraping import to_registry

            self._registry = to_registry(self.families)
        return self._registry


def _coherences(state: BrainState) -> Iterator[tuple[str, str, float]]:
    """(region, layer, value) of each measurement."""
    for region, told in state.get("coherence_by_region", {}).items():
        layers = told if isinstance(told, Mapping) else {_WHOLE_REGION: told}
        for layer, values in layers.items():
            for value in values if isinstance(values, list | tuple) else (values,):
                yield region, layer, float(value)
