"""What the pretended fleet's calls look like as traces and log lines, sent with OpenTelemetry's own SDK.

A call is a trace: a planner delegates, the agent works, and inside its work stand the call of the model and, for some
roles, a tool. One line tells each call, and carries the ids of its span.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable

from opentelemetry import trace
from opentelemetry._logs import Logger, LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

from swarmscope import __version__
from swarmscope.app.demo.fleet import ROLES, Activity, Agent, Call, Role

_EXPORT_EVERY_MS = 1_000
_NS_PER_S = 1_000_000_000
_SCOPE = "swarmscope.demo"
_PLANNER = "planner"
# What agents of a role call besides their model: the peer's kind of database, its name, the name of the call.
_TOOLS = {"researcher": ("qdrant", "papers", "search_documents"), "coder": ("postgresql", "builds", "read_builds")}


class FleetWork:
    """Sends spans and lines to an OTLP/HTTP endpoint (`http://127.0.0.1:4318`)."""

    def __init__(self, endpoint: str, headers: dict[str, str], agents: Iterable[Agent], seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._planners = [agent for agent in agents if agent.role.name == _PLANNER]
        # One queue for all roles: every provider's spans and lines carry their own resource.
        self._spans = BatchSpanProcessor(
            OTLPSpanExporter(f"{endpoint}/v1/traces", headers=headers), schedule_delay_millis=_EXPORT_EVERY_MS
        )
        self._lines = BatchLogRecordProcessor(
            OTLPLogExporter(f"{endpoint}/v1/logs", headers=headers), schedule_delay_millis=_EXPORT_EVERY_MS
        )
        self._tracers: dict[str, Tracer] = {}
        self._loggers: dict[str, Logger] = {}
        for role in ROLES:
            resource = Resource.create(
                {"service.name": role.name, "service.namespace": "demo-fleet", "service.version": __version__}
            )
            tracers = TracerProvider(resource=resource, shutdown_on_exit=False)
            tracers.add_span_processor(self._spans)
            loggers = LoggerProvider(resource, shutdown_on_exit=False)
            loggers.add_log_record_processor(self._lines)
            self._tracers[role.name] = tracers.get_tracer(_SCOPE, __version__)
            self._loggers[role.name] = loggers.get_logger(_SCOPE, __version__)

    def record(self, activities: Iterable[Activity]) -> None:
        """Tell of one tick: every call ended just now."""
        now_ns = time.time_ns()
        for done in activities:
            names = [name for name, times in done.activities.items() for _ in range(times)]
            for call, activity in zip(done.calls, names, strict=True):
                self._record(done.agent, call, activity, now_ns)

    def close(self) -> None:
        """Send what is left."""
        self._spans.shutdown()  # type: ignore[no-untyped-call]
        self._lines.shutdown()  # type: ignore[no-untyped-call]

    def _record(self, agent: Agent, call: Call, activity: str, end_ns: int) -> None:
        start_ns = end_ns - round(call.duration_s * _NS_PER_S)
        conversation = f"task-{self._random.getrandbits(32):08x}"
        parent = None
        delegation: Span | None = None
        if agent.role.name != _PLANNER:
            planner = self._random.choice(self._planners)
            delegation = self._tracers[_PLANNER].start_span(
                f"delegate {agent.role.name}", None, SpanKind.CLIENT, _of(planner, conversation), start_time=start_ns
            )
            parent = trace.set_span_in_context(delegation)
        kind = SpanKind.INTERNAL if delegation is None else SpanKind.SERVER
        work = self._tracers[agent.role.name].start_span(
            f"{agent.role.name} {activity}", parent, kind,
            {"gen_ai.operation.name": "invoke_agent", **_of(agent, conversation)}, start_time=start_ns,
        )  # fmt: skip
        self._call_model(agent.role, call, work, (start_ns, end_ns))
        if agent.role.name in _TOOLS:
            self._call_tool(agent.role, work, start_ns)
        if call.error:
            work.set_status(Status(StatusCode.ERROR, f"the model gave no answer: {call.error}"))
        work.end(end_ns)
        self._tell(agent, call, activity, (work, conversation, end_ns))
        if delegation is not None:
            if call.error:
                delegation.set_status(Status(StatusCode.ERROR))
            delegation.end(end_ns)

    def _call_model(self, role: Role, call: Call, work: Span, times_ns: tuple[int, int]) -> None:
        model = role.model
        span = self._tracers[role.name].start_span(
            f"chat {model.name}", trace.set_span_in_context(work), SpanKind.CLIENT,
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": model.provider,
                "gen_ai.request.model": model.name,
                "gen_ai.usage.input_tokens": call.input_tokens,
                "gen_ai.usage.output_tokens": call.output_tokens,
                "gen_ai.usage.cost": call.cost_usd,
                "peer.service": f"{model.provider}-models",
            },
            start_time=times_ns[0],
        )  # fmt: skip
        if call.error:
            span.set_attribute("error.type", call.error)
            span.add_event("exception", {"exception.type": call.error}, times_ns[1])
            span.set_status(Status(StatusCode.ERROR, call.error))
        span.end(times_ns[1])

    def _call_tool(self, role: Role, work: Span, start_ns: int) -> None:
        system, database, name = _TOOLS[role.name]
        span = self._tracers[role.name].start_span(
            name, trace.set_span_in_context(work), SpanKind.CLIENT,
            {"db.system.name": system, "db.namespace": database, "peer.service": database}, start_time=start_ns,
        )  # fmt: skip
        span.end(start_ns + round(self._random.lognormvariate(3, 0.6) * 1_000_000))

    def _tell(self, agent: Agent, call: Call, activity: str, about: tuple[Span, str, int]) -> None:
        work, conversation, now_ns = about
        severity = SeverityNumber.ERROR if call.error else SeverityNumber.INFO
        if activity in ("reject", "flag") and not call.error:
            severity = SeverityNumber.WARN
        line = {"msg": f"{activity} {'failed' if call.error else 'done'}", "model": agent.role.model.name,
                "duration_s": round(call.duration_s, 3), "tokens": call.input_tokens + call.output_tokens,
                "queue": agent.queue} | ({"error": call.error} if call.error else {})  # fmt: skip
        self._loggers[agent.role.name].emit(
            LogRecord(
                timestamp=now_ns,
                context=trace.set_span_in_context(work),
                severity_number=severity,
                severity_text=severity.name,
                body=json.dumps(line),
                attributes=_of(agent, conversation),
            )
        )


def _of(agent: Agent, conversation: str) -> dict[str, str]:
    return {"gen_ai.agent.name": agent.name, "gen_ai.conversation.id": conversation}
