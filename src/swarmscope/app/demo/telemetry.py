"""The pretended fleet's telemetry: OpenTelemetry's own SDK, one resource a role, sent over OTLP/HTTP.

Names and attributes: OpenTelemetry's semantic conventions for generative AI, and `agi_…` names that rules of existing
deployments look for.
"""

from __future__ import annotations

from collections.abc import Iterable

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from swarmscope import __version__
from swarmscope.app.demo.fleet import Activity, Agent, Call, Fleet, Role
from swarmscope.app.demo.work import FleetWork

_EXPORT_EVERY_MS = 5_000
# The buckets that the conventions advise for these two instruments.
_TOKEN_BUCKETS = (1, 4, 16, 64, 256, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)
_SECONDS_BUCKETS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
Attributes = dict[str, str]


class _RoleTelemetry:
    """The instruments of one role's agents."""

    def __init__(self, role: Role, agents: list[Agent], exporter: OTLPMetricExporter) -> None:
        self._role = role
        self._agents = agents
        reader = PeriodicExportingMetricReader(exporter, export_interval_millis=_EXPORT_EVERY_MS)
        views = [
            View(
                instrument_name="gen_ai.client.token.usage",
                aggregation=ExplicitBucketHistogramAggregation(_TOKEN_BUCKETS),
            ),
            View(
                instrument_name="gen_ai.client.operation.duration",
                aggregation=ExplicitBucketHistogramAggregation(_SECONDS_BUCKETS),
            ),
        ]
        resource = Resource.create(
            {"service.name": role.name, "service.namespace": "demo-fleet", "service.version": __version__,
             "service.instance.id": f"{role.name}-pool"}
        )  # fmt: skip
        self.provider = MeterProvider([reader], resource, views=views, shutdown_on_exit=False)
        meter = self.provider.get_meter("swarmscope.demo", __version__)
        self._tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}", "Tokens of a call.")
        self._duration = meter.create_histogram("gen_ai.client.operation.duration", "s", "Duration of a call.")
        self._cost = meter.create_counter("gen_ai.usage.cost", "USD", "Cost of calls at list prices.")
        self._activity = meter.create_counter("agi_agent_activity_total", "{activity}", "What agents did.")
        meter.create_observable_gauge("agent.queue.depth", [self._queues], "{task}", "Tasks that wait for the agent.")
        meter.create_observable_gauge("agi_memory_usage_bytes", [self._memory], "By", "Memory of the agent.")
        meter.create_observable_gauge("agi_memory_limit_bytes", [self._limits], "By", "Memory that it may use.")

    def _of(self, agent: Agent) -> Attributes:
        return {"gen_ai.agent.name": agent.name, "agent.role": self._role.name}

    def _queues(self, options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(agent.queue, self._of(agent)) for agent in self._agents]

    def _memory(self, options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(agent.memory_bytes, self._of(agent)) for agent in self._agents]

    def _limits(self, options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(agent.memory_limit_bytes, self._of(agent)) for agent in self._agents]

    def record(self, done: Activity) -> None:
        """Count what one agent did."""
        who = self._of(done.agent)
        for activity, times in done.activities.items():
            self._activity.add(times, {**who, "activity": activity})
        for call in done.calls:
            self._record_call(call, who)

    def _record_call(self, call: Call, who: Attributes) -> None:
        model = self._role.model
        attributes = {
            **who,
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": model.provider,
            "gen_ai.request.model": model.name,
        }
        failure = {"error.type": call.error} if call.error else {}
        self._duration.record(call.duration_s, {**attributes, **failure})
        self._cost.add(call.cost_usd, attributes)
        self._tokens.record(call.input_tokens, {**attributes, "gen_ai.token.type": "input"})
        if not call.error:
            self._tokens.record(call.output_tokens, {**attributes, "gen_ai.token.type": "output"})


class FleetTelemetry:
    """Sends what the fleet does to an OTLP/HTTP endpoint (`http://127.0.0.1:4318`): metrics, and its work."""

    def __init__(self, fleet: Fleet, endpoint: str, token: str | None) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        by_role: dict[Role, list[Agent]] = {}
        for agent in fleet.agents:
            by_role.setdefault(agent.role, []).append(agent)
        self._roles = {
            role.name: _RoleTelemetry(role, agents, OTLPMetricExporter(f"{endpoint}/v1/metrics", headers=headers))
            for role, agents in by_role.items()
        }
        self._work = FleetWork(endpoint, headers, fleet.agents)

    def record(self, activities: Iterable[Activity]) -> None:
        """Count one tick, and tell of what was done in it."""
        tick = list(activities)
        for done in tick:
            self._roles[done.agent.role.name].record(done)
        self._work.record(tick)

    def close(self) -> None:
        """Send what is left, for at most two seconds a role."""
        self._work.close()
        for telemetry in self._roles.values():
            telemetry.provider.shutdown(timeout_millis=2_000)
