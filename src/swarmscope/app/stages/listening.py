"""Taking every port before anything else starts, so that a taken one stops the start at once."""

from __future__ import annotations

import logging
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum

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


class CompatPort(Enum):
    """The default port of a program that we stand in for: what for, its setting, and the path to start at."""

    PROMETHEUS = ("Prometheus", "prometheus_port", "/")
    ALERTMANAGER = ("Alertmanager", "alertmanager_port", "/api/v2/status")
    LOKI = ("Loki", "loki_port", "/loki")
    TEMPO = ("Tempo", "tempo_port", "/")
    JAEGER = ("Jaeger", "jaeger_port", "/api/services")
    JAEGER_COLLECTOR = ("Jaeger's collector", "jaeger_collector_port", "/api/traces")
    ZIPKIN = ("Zipkin", "zipkin_port", "/api/v2/spans")

    @property
    def purpose(self) -> str:
        """What it is for."""
        return self.value[0]

    @property
    def setting(self) -> str:
        """Its key in the settings."""
        return self.value[1]

    @property
    def path(self) -> str:
        """Where to look first."""
        return self.value[2]


@dataclass(frozen=True, slots=True)
class Listeners:
    """Listening sockets; who serves them closes them. The gRPC library binds its port itself."""

    host: str
    main: socket.socket
    otlp_http: socket.socket
    compat: Mapping[CompatPort, socket.socket]  # those that were free

    def addresses(self, otlp_grpc_port: int) -> list[Listening]:
        """What is served where."""
        main = port_of(self.main)
        listed = [
            Listening("Main port", self.host, main, "/"),
            Listening("Prometheus API", self.host, main, "/prometheus"),
            Listening("Remote write", self.host, main, "/prometheus/api/v1/write"),
            Listening("OTLP over HTTP", self.host, port_of(self.otlp_http), "/v1/traces"),
            Listening("OTLP over gRPC", self.host, otlp_grpc_port),
            Listening("Own metrics", self.host, main, "/metrics"),
        ]
        for kind, listener in self.compat.items():
            listed.append(Listening(f"{kind.purpose}, default port", self.host, port_of(listener), kind.path))
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
        compat = {}
        for kind in CompatPort if settings.compat_ports else ():
            listener = _bind_if_free(kind.purpose, host, getattr(settings, kind.setting), undo)
            if listener is not None:
                compat[kind] = listener
        undo.pop_all()
    return Listeners(host, main, otlp_http, compat)


def _bind_if_free(purpose: str, host: str, port: int, undo: ExitStack) -> socket.socket | None:
    try:
        return undo.enter_context(bind(purpose, host, port))
    except PortInUseError as error:
        _log.warning("skipping a compatibility port: %s", error, extra={"port": error.port})
        return None
