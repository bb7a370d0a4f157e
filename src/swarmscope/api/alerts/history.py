"""/api/alerts/history: what happened to alerts, and who was told, from the log lines that alerting writes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

from swarmscope.api.agents.endpoint import refuse
from swarmscope.api.agents.shapes import time_json
from swarmscope.api.alertmanager.filters import labels_filter
from swarmscope.api.alerts.endpoint import AlertsExchange
from swarmscope.query.logql.log_answers import LogsRequest, LogsResult

EVENTS = ("alert.state", "alert.notification", "runbook.run")
_DEFAULT_LIMIT, _MAX_LIMIT = 100, 5000
# Filters look at what was read, so more is read than is shown.
_MAX_READ = 50_000


async def history(exchange: AlertsExchange) -> Response:
    """Events of a range, the newest first: `filter`, `event`, `state`, `limit`."""
    span, limit = exchange.range(), _limit(exchange.parameters.text("limit"))
    events = tuple(exchange.parameters.texts("event")) or EVENTS
    if unknown := [event for event in events if event not in EVENTS]:
        raise refuse(f"'event' is one of {', '.join(EVENTS)}, not {unknown[0]!r}")
    states, matchers = exchange.parameters.texts("state"), exchange.matchers()
    is_wanted, deadline = labels_filter(matchers), exchange.deadline()
    wanted = "|".join(events).replace(".", "[.]")
    request = LogsRequest(
        f'{{service_name="swarmscope"}} | event_name=~"{wanted}"',
        span.start_ns,
        span.end_ns,
        _MAX_READ if states or matchers else limit,
        tenant=exchange.tenant,
        cancellation=deadline,
    )

    def make() -> dict[str, Any]:
        found: list[dict[str, Any]] = []
        for event in _events(exchange.parts.logs.query_logs(request)):
            if is_wanted(event["labels"]) and (not states or event["state"] in states):
                found.append(event)
            if len(found) == limit:
                break
        return {"start": time_json(span.start_ns), "end": time_json(span.end_ns), "events": found}

    return await exchange.answer(make, deadline)


def _limit(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and 0 < int(text) <= _MAX_LIMIT):
        raise refuse(f"'limit' is a whole number from 1 to {_MAX_LIMIT}, not {text!r}")
    return int(text or _DEFAULT_LIMIT)


def _events(result: LogsResult) -> list[dict[str, Any]]:
    names = [stream.labels.get("event_name", "") for stream in result.streams]
    lines, groups, times = result.line.to_strings(), result.group.tolist(), result.ts_ns.tolist()
    return [_event(names[group], line, ts_ns) for group, line, ts_ns in zip(groups, lines, times, strict=True)]


def _event(kind: str, line: str, ts_ns: int) -> dict[str, Any]:
    """One event: what all kinds have, and the line's own fields under `detail`."""
    try:
        detail = orjson.loads(line)
    except orjson.JSONDecodeError:
        detail = None
    if not isinstance(detail, dict):  # somebody else writes to this stream
        detail = {"line": line}
    labels = detail.get("labels") or detail.get("group_labels") or {}
    annotations = detail.get("annotations")
    summary = annotations.get("summary", "") if isinstance(annotations, Mapping) else ""
    name = detail.get("alert") or detail.get("receiver") or detail.get("runbook") or ""
    return {
        "time": time_json(ts_ns),
        "event": kind,
        "name": str(name),
        "state": _state(kind, detail),
        "labels": labels if isinstance(labels, Mapping) else {},
        "summary": str(summary),
        "detail": detail,
    }


def _state(kind: str, detail: Mapping[str, Any]) -> str:
    """`pending`, `firing`, `resolved`, or how a notification or a run went."""
    if kind == "alert.state":
        state = str(detail.get("to", ""))
        return "resolved" if state == "inactive" else state
    return str(detail.get("outcome") or detail.get("state") or "")
