"""Taking ports before anything else is started, and naming who holds one that is taken."""

from __future__ import annotations

import contextlib
import errno
import socket

import psutil

_BACKLOG = 2048


class PortInUseError(Exception):
    """A port cannot be taken; the text names its holder where the system tells it."""

    def __init__(self, purpose: str, host: str, port: int, holder: str) -> None:
        super().__init__(f"port {port} on {host} ({purpose}) is in use by {holder}")
        self.port = port
        self.holder = holder


def find_holder(port: int) -> str:
    """`name (pid 123)` of the process that listens on a TCP port, or a remark where that cannot be seen."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status != psutil.CONN_LISTEN or not connection.laddr or connection.laddr.port != port:
                continue
            if connection.pid is None:
                break
            with contextlib.suppress(psutil.Error):
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
            return f"pid {connection.pid}"
    return "another process (which one cannot be seen)"


def bind(purpose: str, host: str, port: int) -> socket.socket:
    """A TCP socket bound to the address, not yet listening; 0 takes a free port.

    Raises PortInUseError, or OSError where the address does not exist or may not be used.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(
        host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
    )[0]
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        # With SO_REUSEADDR alone Linux lets two sockets bind as long as neither listens.
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUseError(purpose, host, port, find_holder(port)) from None
        raise OSError(error.errno, f"cannot listen on {host}:{port} ({purpose}): {error.strerror}") from None
    listener.setblocking(False)
    return listener


def port_of(listener: socket.socket) -> int:
    """The port that a bound socket has."""
    return int(listener.getsockname()[1])


def spell_address(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
