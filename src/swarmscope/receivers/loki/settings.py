"""What an operator may set about Loki's push protocol."""

from __future__ import annotations

from dataclasses import dataclass

from swarmscope.receivers.wire.log_streams import DISCOVER_SERVICE_NAME


@dataclass(frozen=True, slots=True)
class LokiSettings:
    """Limits are bytes; `paths` are all served alike."""

    paths: tuple[str, ...] = ("/loki/api/v1/push",)
    max_body_bytes: int = 16 << 20
    max_body_bytes_decompressed: int = 64 << 20
    # Stream labels that `service_name` is taken from where it is missing; () sets none.
    discover_service_name: tuple[str, ...] = DISCOVER_SERVICE_NAME
