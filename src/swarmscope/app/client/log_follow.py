"""Following lines over the websocket, with a new connection where one breaks."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any

from swarmscope.app.client.log_lines import LogLine, read_lines
from swarmscope.app.client.log_peer import LogPeer
from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem

_PAUSES_S = (0.5, 1.0, 2.0, 5.0)
_LAST_PAUSE_S = 10.0
_MAX_MESSAGE_BYTES = 256 << 20
_PAGE_LINES = 5000  # what Loki and Swarmscope give at once unless they are told otherwise
_REMEMBERED_LINES = 20_000
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
    seen = _Seen(start_ns)
    pauses = iter(_PAUSES_S)
    was_connected = False
    while True:
        try:
            if was_connected:
                # The server sends no more than a page of what is older; all that was missed is asked for first.
                yield from _missed(peer, fields["query"], seen)
            limit = fields["limit"] if not was_connected else str(_PAGE_LINES)
            url = peer.tail_url({**fields, "limit": limit, "start": str(seen.newest_ns)})
            with connect(url, additional_headers=peer.headers, max_size=_MAX_MESSAGE_BYTES, proxy=None) as socket:
                was_connected = True
                for text in socket:
                    pauses = iter(_PAUSES_S)
                    yield from seen.fresh(_lines_of(json.loads(text), note))
            broke = "the server ended the connection"
        except InvalidStatus as error:
            status = error.response.status_code
            if status in _REFUSED and status != _TOO_MANY:
                body = bytes(error.response.body or b"").decode(errors="replace")
                raise QueryProblem(peer.refusal(status, body)) from None
            broke = f"the server answered {status}"
        except (ConnectionClosed, InvalidHandshake, OSError, TimeoutError) as error:
            broke = str(error) or type(error).__name__
            if not was_connected and isinstance(error, OSError):
                raise QueryProblem(f"{peer.url} cannot be reached: {broke}. Is `swarmscope up` running?") from None
        except QueryProblem as problem:
            if not was_connected:
                raise
            broke = str(problem)
        pause_s = next(chain(pauses, repeat(_LAST_PAUSE_S)))
        note(f"connection lost ({broke}); again in {pause_s:g} s")
        time.sleep(pause_s)


class _Seen:
    """The lines that were told, so that none is told twice: those of the last moments, which may come again."""

    def __init__(self, start_ns: int) -> None:
        self.newest_ns = start_ns
        self._told: dict[tuple[int, str, str], None] = {}

    def fresh(self, lines: list[LogLine]) -> Iterator[LogLine]:
        """Those that were not told yet."""
        for line in lines:
            if line.identity in self._told:
                continue
            self._told[line.identity] = None
            if len(self._told) > _REMEMBERED_LINES:
                del self._told[next(iter(self._told))]
            self.newest_ns = max(self.newest_ns, line.ts_ns)
            yield line


def _missed(peer: LogPeer, query: str, seen: _Seen) -> Iterator[LogLine]:
    """Lines since the newest that was told, page by page. Raises QueryProblem."""
    while True:
        end_ns = max(time.time_ns(), seen.newest_ns) + 1
        fields = {
            "query": query, "start": str(seen.newest_ns), "end": str(end_ns), "limit": str(_PAGE_LINES),
            "direction": "forward",
        }  # fmt: skip
        page = sorted(read_lines(peer.ask("query_range", fields).get("result", [])), key=lambda line: line.ts_ns)
        fresh = list(seen.fresh(page))
        yield from fresh
        if len(page) < _PAGE_LINES or not fresh:
            return


def _lines_of(message: dict[str, Any], note: Callable[[str], None]) -> list[LogLine]:
    for entry in message.get("dropped_entries") or ():
        note(f"{entry.get('count', 1)} lines came too fast and were left out")
    return sorted(read_lines(message.get("streams") or []), key=lambda line: line.ts_ns)
