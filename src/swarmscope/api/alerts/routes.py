"""All routes of our own API of alerts."""

from __future__ import annotations

from functools import partial

from starlette.routing import BaseRoute

from swarmscope.api.alerts.current import current_alerts
from swarmscope.api.alerts.endpoint import alerts_route
from swarmscope.api.alerts.history import history
from swarmscope.api.alerts.parts import AlertsApiParts
from swarmscope.api.alerts.receivers import receivers, test_receiver
from swarmscope.api.alerts.rules import all_rules
from swarmscope.api.incidents.endpoint import JsonApiParts, json_route


def alerts_routes(parts: AlertsApiParts) -> list[BaseRoute]:
    """The endpoints."""
    posting = JsonApiParts(parts.queue, parts.timeout_s, parts.on_request)
    return [
        alerts_route(parts, "/api/alerts", current_alerts),
        alerts_route(parts, "/api/alerts/history", history),
        alerts_route(parts, "/api/rules", all_rules),
        alerts_route(parts, "/api/receivers", receivers),
        json_route("/api/receivers/{name}/test", partial(test_receiver, parts), posting, "POST"),
    ]
