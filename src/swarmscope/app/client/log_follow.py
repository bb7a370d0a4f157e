"""Following lines over the websocket, with a new connection where one breaks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

from swarmscope.app.client.command import EXIT_MISUSED, QueryProblem
from swarmscope.app.client.log_lines import LogLine, read_lines
from swarmscope.app.client.log_peer import LogPeer

_PAUSES_S = (0.5, 1.0, 2.0, 5.0)
_LAST_PAUSE_S = 10.0
_MAX_MESSAGE_BYTES = 256 << 20
_REFUSED, _TOO_MANY = range(400, 500), 429


def follow(peer: LogPeer, fields: dict[str, str], start_ns: int, note: Callable[[str], None]) -> Iterator[LogLine]:
    """Lines from `start_ns` on, for ever. `note` is told what the reader should know: losses, broken connections.

    Raises QueryProblem where the server refuses.
    """
    try:
        from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
        from websockets.sync.client import connect
    except ModuleNotFoundError:
        raise QueryProblem("--follow needs one package more: pip install websockets", EXIT_MISUSED) from None
    last: set[tuple[int, str, str]] = set()  # the lines of the newest time, which come again after a break
    pauses = iter(_PAUSES_S)
    while True:
        try:
            url = peer.tail_url({**fields, "start": str(start_ns)})
            with connect(url, additional_headers=peer.headers, max_size=_MAX_MESSAGE_BYTES, proxy=None) as socket:
                for text in socket:
                    pauses = iter(_PAUSES_S)
                    for line in _lines_of(json.loads(text), note):
                        if line.identity in last:
                            continue
                        if line.ts_ns > start_ns:
                            start_ns, last = line.ts_ns, set()
                        if line.ts_ns == start_ns:
                            last.add(line.identity)
                        yield line
            broke = "the server ended the connection"
        except InvalidStatus as error:
            status = error.response.status_code
            if status in _REFUSED and status != _TOO_MANY:
                body = bytes(error.response.body or b"").decode(errors="replace")
                raise QueryProblem(peer.refusal(status, body)) from None
            broke = f"the server answered {status}"
        except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:
            broke = str(error) or type(error).__name__
        pause_s = next(chain(pauses, repeat(_LAST_PAUSE_S)))
        note(f"connection lost ({broke}); again in {pause_s:g} s")
        time.sleep(pause_s)


def _lines_of(message: dict[str, Any], note: Callable[[str], None]) -> list[LogLine]:
    for entry in message.get("dropped_entries") or ():
        note(f"{entry.get('count', 1)} lines came too fast and were left out")
    return sorted(read_lines(message.get("streams") or []), key=lambda line: line.ts_ns)
