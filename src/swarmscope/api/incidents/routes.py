"""Everything under `/api/incidents`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.routing import BaseRoute

from swarmscope.alerting.incidents.incident import Incident, IncidentState
from swarmscope.alerting.incidents.incidents import Incidents, UnknownIncidentError
from swarmscope.api.agents.endpoint import refuse
from swarmscope.api.incidents.endpoint import Call, JsonApiParts, json_route
from swarmscope.api.incidents.shapes import detail_json, incident_json

_DEFAULT_LIMIT, _MAX_LIMIT = 100, 1000


def incident_routes(incidents: Incidents, parts: JsonApiParts) -> list[BaseRoute]:
    """The list, one of them, and what people do."""

    def listed(call: Call) -> Any:
        state = call.chosen("state", lambda: [str(each) for each in IncidentState])
        limit = call.limit(_DEFAULT_LIMIT, _MAX_LIMIT)
        found = [each for each in incidents.incidents(call.tenant) if state in ("", each.state)]
        return {"incidents": [incident_json(each) for each in found[:limit]]}

    def one(call: Call) -> Any:
        found = incidents.incident(call.tenant, call.path["id"])
        if found is None:
            raise refuse(f"there is no incident {call.path['id']!r}", 404)
        return detail_json(found)

    def acknowledge(call: Call) -> Incident:
        return incidents.acknowledge(call.tenant, call.path["id"], call.text("by", required=True), call.text("comment"))

    def resolve(call: Call) -> Incident:
        return incidents.resolve(call.tenant, call.path["id"], call.text("by", required=True), call.text("comment"))

    def comment(call: Call) -> Incident:
        by, text = call.text("by", required=True), call.text("comment", required=True)
        return incidents.comment(call.tenant, call.path["id"], by, text)

    def merge(call: Call) -> Incident:
        other, by = call.text("with", required=True), call.text("by", required=True)
        return incidents.merge(call.tenant, call.path["id"], other, by)

    def split(call: Call) -> Incident:
        return incidents.split(call.tenant, call.path["id"], call.listed("alerts"), call.text("by", required=True))

    def doing(name: str, work: Callable[[Call], Incident]) -> BaseRoute:
        def answer(call: Call) -> Any:
            try:
                return detail_json(work(call))
            except UnknownIncidentError as error:
                known = incidents.incident(call.tenant, call.path["id"]) is not None
                raise refuse(str(error), 409 if known else 404) from None

        return json_route(f"/api/incidents/{{id}}/{name}", answer, parts, "POST")

    return [
        json_route("/api/incidents", listed, parts),
        json_route("/api/incidents/{id}", one, parts),
        doing("acknowledge", acknowledge),
        doing("resolve", resolve),
        doing("comment", comment),
        doing("merge", merge),
        doing("split", split),
    ]
