"""What an operator may set about remote write."""

from __future__ import annotations

from dataclasses import dataclass

from swarmscope.receivers.remote_write.series_scan import DEFAULT_BOUNDS, RequestBounds


@dataclass(frozen=True, slots=True)
class RemoteWriteSettings:
    """Limits are bytes; `paths` are all served alike.

    Prometheus sends bodies of a few hundred KiB; vmagent's default is 8 MiB before and 32 MiB after unpacking.
    """

    paths: tuple[str, ...] = ("/prometheus/api/v1/write", "/api/v1/write")
    max_body_bytes: int = 32 << 20
    max_body_bytes_decompressed: int = 64 << 20
    created_timestamp_zero_ingestion: bool = False
    bounds: RequestBounds = DEFAULT_BOUNDS
