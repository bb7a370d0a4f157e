"""Servers that live for the whole session, and a factory for tests that need their own.

Tests share the session's servers: use an own tenant (`X-Scope-OrgID`) or own metric names, and leave them running.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator, Mapping

import pytest

from tests.integration.peer_data import SPECIAL_SERIES, TENANT, peer_series
from tests.integration.processes import PrometheusServer, SwarmscopeServer, free_port, remote_write, write_request

# Samples of any age are kept, and nothing is flushed unless it is asked for (`POST …/admin/tsdb/snapshot`).
SETTINGS = {
    "RETENTION__METRICS": "infinite",
    "RETENTION__TRACES": "infinite",
    "STORAGE__FLUSH_AFTER": "1h",
    "API__ENABLE_ADMIN_API": "true",
    "LOG__LEVEL": "warning",
    "COMPAT_PORTS": "true",
    "DERIVATION__INTERVAL": "1s",
    "EVALUATIONS__INTERVAL": "500ms",
    "EVALUATIONS__OBJECTIVES": '[{"name": "kindness", "evaluation": "tone", "expected": 0.9, "alpha": 0.05}]',
    "DERIVATION__SERVICE_GRAPH__WAIT": "2s",
    "LIMITS__TENANTS": json.dumps(
        {
            "span-limits": {"traces": {"max_attributes": 4}},
            "span-rate": {"traces": {"max_bytes_per_second": 10}},
        }
    ),
}
COMPAT_PORTS = (
    "PROMETHEUS",
    "LOKI",
    "TEMPO",
    "JAEGER",
    "JAEGER_COLLECTOR",
    "JAEGER_COMPACT",
    "JAEGER_BINARY",
    "ZIPKIN",
)


@pytest.fixture(scope="session")
def swarmscope_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SwarmscopeServer]:
    """`swarmscope up` with `SETTINGS`; stopped with SIGTERM, which must end it cleanly.

    The compatibility ports are free ones: `server.settings["ZIPKIN_PORT"]`.
    """
    ports = {f"{name}_PORT": str(free_port()) for name in COMPAT_PORTS}
    server = SwarmscopeServer(tmp_path_factory.mktemp("swarmscope"), SETTINGS | ports)
    server.start()
    try:
        yield server
    finally:
        if server.process is not None:
            server.stop_cleanly()


@pytest.fixture(scope="session")
def prometheus_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PrometheusServer]:
    """Debian's Prometheus with the remote-write receiver."""
    if shutil.which("prometheus") is None:
        pytest.skip("no prometheus on this machine")
    server = PrometheusServer(tmp_path_factory.mktemp("prometheus"))
    server.start()
    try:
        yield server
    finally:
        if server.process is not None:
            server.stop()


@pytest.fixture(scope="session")
def loaded_servers(
    swarmscope_server: SwarmscopeServer, prometheus_server: PrometheusServer
) -> tuple[SwarmscopeServer, PrometheusServer]:
    """Both, with the samples of `peer_data` (in Swarmscope under its `TENANT`)."""
    body = write_request(peer_series() + SPECIAL_SERIES)
    for server in (swarmscope_server, prometheus_server):
        remote_write(server, body, TENANT)
    return swarmscope_server, prometheus_server


@pytest.fixture
def start_swarmscope(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., SwarmscopeServer]]:
    """Starts a Swarmscope of the test's own: `start_swarmscope(settings=None)`; ended with the test."""
    started: list[SwarmscopeServer] = []

    def start(settings: Mapping[str, str] | None = None) -> SwarmscopeServer:
        server = SwarmscopeServer(tmp_path_factory.mktemp("own"), settings)
        started.append(server)
        server.start()
        return server

    yield start
    for server in started:
        if server.process is not None:
            server.stop_cleanly()
