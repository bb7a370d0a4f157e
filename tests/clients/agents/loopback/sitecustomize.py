"""Ends a program that speaks to anything but loopback; Python imports this at its start where it is in PYTHONPATH."""

from __future__ import annotations

import os
import socket
import sys
from typing import Any

_NAMES = ("127.0.0.1", "::1", "localhost", "", None)


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo":
        asked = arguments[0]
    elif event in ("socket.connect", "socket.sendto") and arguments[0].family in (socket.AF_INET, socket.AF_INET6):
        asked = arguments[1][0]
    else:
        return
    if (asked.decode() if isinstance(asked, bytes) else asked) not in _NAMES:
        sys.stderr.write(f"\n{event} {asked!r}: not on loopback\n")
        sys.stderr.flush()
        os._exit(3)


sys.addaudithook(_watch)
