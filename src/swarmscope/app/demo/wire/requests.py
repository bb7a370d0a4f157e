"""Events as OTLP requests: spans when they end, log lines, announcements of spans that are open."""

from __future__ import annotations

import json
from collections.abc import Iterable

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ScopeLogs, SeverityNumber
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from swarmscope.app.demo.simulation.events import BrainState, Ended, Evaluated, Event, Line, Step
from swarmscope.app.demo.wire.attributes import KIND_NAMES, Value, describe
from swarmscope.app.demo.wire.resources import Resources, key_values

_SEVERITIES = {
    "INFO": SeverityNumber.SEVERITY_NUMBER_INFO,
    "WARN": SeverityNumber.SEVERITY_NUMBER_WARN,
    "ERROR": SeverityNumber.SEVERITY_NUMBER_ERROR,
}
_MIND = "fleet-mind"


def _ids(step: Step) -> tuple[bytes, bytes]:
    return step.trace_id.to_bytes(16, "big"), step.span_id.to_bytes(8, "big")


def to_span(step: Step) -> Span:
    """A step that is over."""
    name, kind, attributes = describe(step)
    trace_id, span_id = _ids(step)
    span = Span(trace_id=trace_id, span_id=span_id, name=name, attributes=key_values(attributes))
    span.kind = Span.SpanKind.ValueType(kind)
    span.start_time_unix_nano, span.end_time_unix_nano = step.start_ns, step.end_ns
    if step.parent_id:
        span.parent_span_id = step.parent_id.to_bytes(8, "big")
    if step.link is not None:
        linked_trace, linked_span = _ids(step.link)
        span.links.add(trace_id=linked_trace, span_id=linked_span)
    if step.error:
        span.status.code = Status.STATUS_CODE_ERROR
        span.status.message = step.error
        happened = span.events.add(name="exception", time_unix_nano=step.end_ns)
        happened.attributes.extend(key_values({"exception.type": step.error}))
    return span


def trace_request(events: Iterable[Event], resources: Resources) -> ExportTraceServiceRequest | None:
    """The steps that ended, by their processes; None when there are none."""
    processes: dict[tuple[str, str], list[Span]] = {}
    for event in events:
        if isinstance(event, Ended):
            processes.setdefault((event.step.service, event.step.version), []).append(to_span(event.step))
    if not processes:
        return None
    request = ExportTraceServiceRequest()
    for (service, version), spans in processes.items():
        group = request.resource_spans.add(resource=resources.resource(service, version))
        group.scope_spans.append(ScopeSpans(scope=resources.scope(service), spans=spans))
    return request


def _record(step: Step, at_ns: int, severity: str, attributes: dict[str, Value]) -> LogRecord:
    trace_id, span_id = _ids(step)
    return LogRecord(
        trace_id=trace_id, span_id=span_id, time_unix_nano=at_ns, observed_time_unix_nano=at_ns, flags=1,
        severity_number=_SEVERITIES[severity], severity_text=severity, attributes=key_values(attributes),
    )  # fmt: skip


def _of(step: Step) -> dict[str, Value]:
    told: dict[str, Value] = {}
    if step.agent:
        told["gen_ai.agent.name"] = step.agent
    if step.conversation:
        told["gen_ai.conversation.id"] = step.conversation
    return told


def _to_record(event: Event) -> tuple[str, str, LogRecord] | None:
    """Service, version and record of an event that is told as a line."""
    if isinstance(event, Line):
        record = _record(event.step, event.at_ns, event.severity, _of(event.step))
        record.body.string_value = json.dumps({"msg": event.text, **event.fields})
    elif isinstance(event, Evaluated):
        told: dict[str, Value] = {
            "gen_ai.evaluation.name": "value_alignment", "gen_ai.evaluation.score.value": event.score,
            "gen_ai.evaluation.score.label": event.label, "evaluated.agent.name": event.agent, "simulated": True,
        }  # fmt: skip
        record = _record(event.step, event.at_ns, "INFO", {**_of(event.step), **told})
        record.event_name = "gen_ai.evaluation.result"
    elif isinstance(event, BrainState):
        record = LogRecord(time_unix_nano=event.at_ns, observed_time_unix_nano=event.at_ns, severity_text="INFO")
        record.severity_number = SeverityNumber.SEVERITY_NUMBER_INFO
        record.event_name = "agi.brain_state"
        record.body.string_value = json.dumps(to_brain_state(event))
        return _MIND, "", record
    else:
        return None
    return event.step.service, event.step.version, record


def to_brain_state(event: BrainState) -> dict[str, object]:
    """In the form of the SDK's JSON Schema."""
    weights = [list(row) for row in event.neural_connectivity]
    return {
        "timestamp": event.at_ns / 1e9,
        "neural_connectivity": {"units": list(event.units), "weights": weights},
        "coherence_by_region": event.coherence_by_region,
        "modules": [
            {"name": team, "activity": activity,
             "connections": [other for other, rate in zip(event.units, row, strict=True) if rate]}
            for team, activity, row in zip(event.units, event.activity, event.neural_connectivity, strict=True)
        ],
    }  # fmt: skip


def _announcement(step: Step, at_ns: int) -> LogRecord:
    """The SDK's `agent.span.open`."""
    name, kind, attributes = describe(step)
    attributes |= {
        "span.parent_id": f"{step.parent_id:016x}" if step.parent_id else "", "span.name": name,
        "span.kind": KIND_NAMES[kind], "span.start_ns": step.start_ns,
    }  # fmt: skip
    record = _record(step, at_ns, "INFO", attributes)
    record.event_name = "agent.span.open"
    return record


def log_request(
    events: Iterable[Event], open_steps: Iterable[Step], at_ns: int, resources: Resources
) -> ExportLogsServiceRequest | None:
    """What is told in lines, and the steps to announce at `at_ns`; None when there is nothing."""
    processes: dict[tuple[str, str], list[LogRecord]] = {}
    for event in events:
        told = _to_record(event)
        if told is not None:
            processes.setdefault(told[:2], []).append(told[2])
    for step in open_steps:
        processes.setdefault((step.service, step.version), []).append(_announcement(step, at_ns))
    if not processes:
        return None
    request = ExportLogsServiceRequest()
    for (service, version), records in processes.items():
        group = request.resource_logs.add(resource=resources.resource(service, version))
        group.scope_logs.append(ScopeLogs(scope=resources.scope(service), log_records=records))
    return request
