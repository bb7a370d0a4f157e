"""The range of time that a command's options name."""

from __future__ import annotations

import time
from dataclasses import dataclass

from swarmscope.app.client.outcome import EXIT_MISUSED, QueryProblem
from swarmscope.app.durations import parse_duration, parse_time_ms

_DEFAULT_SINCE = "1h"
_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class TimeOptions:
    """`--since`, `--start` and `--end` as typed."""

    since: str | None = None
    start: str | None = None
    end: str | None = None

    def range_ns(self, now_ns: int) -> tuple[int, int]:
        """Start and end; the last hour where nothing is said. Raises QueryProblem."""
        now_ms = now_ns // _NS_PER_MS
        try:
            end_ns = parse_time_ms(self.end, now_ms) * _NS_PER_MS if self.end else now_ns
            if self.start and self.since:
                raise ValueError("choose one of --start and --since")
            if self.start:
                start_ns = parse_time_ms(self.start, now_ms) * _NS_PER_MS
            else:
                start_ns = end_ns - parse_duration(self.since or _DEFAULT_SINCE).ms * _NS_PER_MS
        except ValueError as error:
            raise QueryProblem(str(error), EXIT_MISUSED) from None
        if start_ns >= end_ns:
            raise QueryProblem("the start is not before the end", EXIT_MISUSED)
        return start_ns, end_ns

    def parameters(self) -> dict[str, str]:
        """The range in a request's words: `since` as long as no end is named, so that the server's clock counts.

        Raises QueryProblem.
        """
        start_ns, end_ns = self.range_ns(time.time_ns())
        if not self.start and not self.end:
            return {"since": f"{(end_ns - start_ns) // _NS_PER_MS}ms"}
        return {"start": str(start_ns), "end": str(end_ns)}
