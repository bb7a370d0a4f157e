"""/api/receivers: who is told, and a test of whether they hear us."""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from swarmscope.api.agents.endpoint import refuse
from swarmscope.api.alerts.endpoint import AlertsExchange
from swarmscope.api.alerts.parts import AlertsApiParts, UnknownReceiverError
from swarmscope.api.incidents.endpoint import Call


async def receivers(exchange: AlertsExchange) -> Response:
    """Receivers and their integrations; secrets are no part of it."""
    tester = exchange.parts.tester

    def make() -> dict[str, Any]:
        found = {} if tester is None else tester.integrations()
        return {
            "receivers": [
                {"name": name, "integrations": [{"integration": kind, "index": index} for kind, index in each]}
                for name, each in found.items()
            ]
        }

    return await exchange.answer(make)


def test_receiver(parts: AlertsApiParts, call: Call) -> dict[str, Any]:
    """Tell a receiver of a made-up alert. Raises ApiError."""
    name, labels = call.path["name"], call.texts("labels")
    if parts.tester is None:
        raise refuse("nobody is told of alerts: alerting is off", 404)
    try:
        outcomes = parts.tester.test(name, labels)
    except UnknownReceiverError:
        known = ", ".join(parts.tester.integrations())
        raise refuse(f"there is no receiver {name!r}; there are: {known}", 404) from None
    return {
        "receiver": name,
        "integrations": [
            {"integration": each.kind, "index": each.index, "error": each.error, "took_s": round(each.took_s, 3)}
            for each in outcomes
        ],
    }
