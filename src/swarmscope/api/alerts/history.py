"""/api/alerts/history: what happened to alerts, and who was told, from the log lines that alerting writes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

import orjson
from starlette.responses import Response

from swarmscope.api.agents.endpoint import refuse
from swarmscope.api.agents.shapes import time_json
from swarmscope.api.alertmanager.filters import labels_filter
from swarmscope.api.alerts.endpoint import AlertsExchange
from swarmscope.query.logql.engine import LogqlEngine
from swarmscope.query.logql.log_answers import LogsRequest

EVENTS = ("alert.state", "alert.notification", "runbook.run")
_DEFAULT_LIMIT, _MAX_LIMIT = 100, 5000
# Filters look at what was read, so more may be read than is shown.
_MAX_READ = 50_000


async def history(exchange: AlertsExchange) -> Response:
    """Events of a range, the newest first: `filter`, `event`, `state`, `limit`."""
    span, limit = exchange.range(), _limit(exchange.parameters.text("limit"))
    events = tuple(exchange.parameters.texts("event")) or EVENTS
    if unknown := [event for event in events if event not in EVENTS]:
        raise refuse(f"'event' is one of {', '.join(EVENTS)}, not {unknown[0]!r}")
    states = exchange.parameters.texts("state")
    is_wanted, deadline = labels_filter(exchange.matchers()), exchange.deadline()
    wanted = "|".join(events).replace(".", "[.]")
    request = LogsRequest(
        f'{{service_name="swarmscope"}} | event_name=~"{wanted}"',
        span.start_ns,
        span.end_ns,
        exchange.parts.logs.settings.max_entries,
        tenant=exchange.tenant,
        cancellation=deadline,
    )

    def make() -> dict[str, Any]:
        found = (
            event
            for event in _read(exchange.parts.logs, request)
            if is_wanted(event["labels"]) and (not states or event["state"] in states)
        )
        events = list(islice(found, limit))
        return {"start": time_json(span.start_ns), "end": time_json(span.end_ns), "events": events}

    return await exchange.answer(make, deadline)


def _read(engine: LogqlEngine, request: LogsRequest) -> Iterator[dict[str, Any]]:
    """Events from the newest on, a page at a time."""
    end_ns, n_read = request.end_ns, 0
    told: set[tuple[int, str]] = set()  # of the time at which the page before ended
    while n_read < _MAX_READ:
        result = engine.query_logs(replace(request, end_ns=end_ns))
        times, lines = result.ts_ns.tolist(), result.line.to_strings()
        fresh = [at for at in range(len(times)) if (times[at], lines[at]) not in told]
        names = [stream.labels.get("event_name", "") for stream in result.streams]
        for at in fresh:
            yield _event(names[int(result.group[at])], lines[at], times[at])
        if not fresh or len(times) < request.limit:
            return
        n_read += len(fresh)
        end_ns = times[-1] + 1
        told = {(ts_ns, line) for ts_ns, line in zip(times, lines, strict=True) if ts_ns == times[-1]}


def _limit(text: str) -> int:
    if text and not (text.isascii() and text.isdigit() and 0 < int(text) <= _MAX_LIMIT):
        raise refuse(f"'limit' is a whole number from 1 to {_MAX_LIMIT}, not {text!r}")
    return int(text or _DEFAULT_LIMIT)


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
