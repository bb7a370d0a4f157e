"""Taking every port before anything else starts, so that a taken one stops the start at once."""

from __future__ import annotations

import logging
import socket
from contextlib import ExitStack
from dataclasses import dataclass

from swarmscope.app.ports import PortInUseError, bind, port_of
from swarmscope.app.settings import Settings

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listening:
    """One address that is served: what for, the host, the port, and the path to start at."""

    purpose: str
    host: str
    port: int
    path: str = ""


@dataclass(frozen=True, slots=True)
class Listeners:
    """Listening sockets; who serves them closes them. The gRPC library binds its port itself."""

    host: str
    main: socket.socket
    otlp_http: socket.socket
    prometheus: socket.socket | None
    loki: socket.socket | None
    tempo: socket.socket | None

    def addresses(self, otlp_grpc_port: int) -> list[Listening]:
        """What is served where."""
        main = port_of(self.main)
        listed = [
            Listening("Main port", self.host, main, "/"),
            Listening("Prometheus API", self.host, main, "/prometheus"),
            Listening("Remote write", self.host, main, "/prometheus/api/v1/write"),
            Listening("OTLP over HTTP", self.host, port_of(self.otlp_http), "/v1/metrics"),
            Listening("OTLP over gRPC", self.host, otlp_grpc_port),
            Listening("Own metrics", self.host, main, "/metrics"),
        ]
        if self.prometheus is not None:
            listed.append(Listening("Prometheus, default port", self.host, port_of(self.prometheus), "/"))
        if self.loki is not None:
            listed.append(Listening("Loki, default port", self.host, port_of(self.loki), "/loki"))
        if self.tempo is not None:
            listed.append(Listening("Tempo, default port", self.host, port_of(self.tempo), "/"))
        return listed


def bind_listeners(settings: Settings) -> Listeners:
    """Bind what the settings name. Raises PortInUseError or OSError.

    A compatibility port that is taken is skipped, and the log says who holds it: it is most likely the very
    program that we are to stand beside.
    """
    host = settings.host
    with ExitStack() as undo:
        main = undo.enter_context(bind("main port", host, settings.port))
        otlp_http = undo.enter_context(bind("OTLP over HTTP", host, settings.otlp_http_port))
        # gRPC binds by itself and cannot name a port's holder, so the port is tried here and given back.
        bind("OTLP over gRPC", host, settings.otlp_grpc_port).close()
        prometheus = loki = tempo = None
        if settings.compat_ports:
            prometheus = _bind_if_free("Prometheus", host, settings.prometheus_port, undo)
            loki = _bind_if_free("Loki", host, settings.loki_port, undo)
            tempo = _bind_if_free("Tempo", host, settings.tempo_port, undo)
        undo.pop_all()
    return Listeners(host, main, otlp_http, prometheus, loki, tempo)


def _bind_if_free(purpose: str, host: str, port: int, undo: ExitStack) -> socket.socket | None:
    try:
        return undo.enter_context(bind(purpose, host, port))
    except PortInUseError as error:
        _log.warning("skipping a compatibility port: %s", error, extra={"port": error.port})
        return None
