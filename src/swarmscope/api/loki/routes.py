"""All routes of Loki's API."""

from __future__ import annotations

from starlette.routing import BaseRoute

from swarmscope.api.loki.catalogue import catalogue_routes
from swarmscope.api.loki.deletion import Deletions
from swarmscope.api.loki.detected import detected_routes
from swarmscope.api.loki.endpoint import LokiPath
from swarmscope.api.loki.parts import LokiParts
from swarmscope.api.loki.queries import query_routes
from swarmscope.api.loki.status import status_routes
from swarmscope.api.loki.tail import Tails
from swarmscope.api.loki.volumes import volume_routes


def loki_routes(parts: LokiParts) -> list[BaseRoute]:
    """Everything under `/loki` but the push endpoint, which is a receiver's."""
    path = LokiPath(parts)
    return [
        *query_routes(path),
        *catalogue_routes(path),
        *detected_routes(path),
        *volume_routes(path),
        *status_routes(path),
        *Tails(path).routes(),
        *Deletions(path).routes(),
    ]
