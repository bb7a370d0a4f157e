"""Compiles, or loads from the cache, the kernels of `swarmscope ingest`, so that its first use need not."""

from __future__ import annotations

from swarmscope.app.ingestion.line_blocks import block_of
from swarmscope.app.ingestion.line_times import LineFormat, times_of
from swarmscope.app.ingestion.push_body import push_body
from swarmscope.app.ingestion.syslog import priorities_of
from swarmscope.app.ingestion.time_order import TimeOrder

_LINES = {
    LineFormat.JSON: b'{"time":"2026-01-02T03:04:05Z"}\n',
    LineFormat.LOGFMT: b"ts=1767323045 level=info\n",
    LineFormat.SYSLOG: b"<34>Jan  2 03:04:05 host su: x\n",
    LineFormat.TEXT: b"INFO 2026-01-02 03:04:05 x\n",
}


def warm_up() -> None:
    """One line of each format, through all that a line goes through."""
    order = TimeOrder()
    for form, text in _LINES.items():
        line = block_of(text, len(text), joins=True).line
        times_ns = times_of(line, form, 0)
        order.fill(times_ns, 0)
        push_body("{}", times_ns, line, priorities_of(line))
