"""Damaged parts: found, detached and told of, so that the rest serves.

ClickHouse detaches what it cannot load at start by itself; a part that breaks later is found here, when a read fails.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass

from swarmscope.schema.agent_tables import AGENT_TABLES
from swarmscope.schema.log_tables import LOG_TABLES
from swarmscope.schema.rollups import ROLLUP_TABLES
from swarmscope.schema.span_tables import SPAN_TABLES
from swarmscope.schema.tables import METRIC_TABLES
from swarmscope.store.embedded.engine import Engine

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DetachedPart:
    """A part that was taken out of service; its files lie in the table's `detached` folder."""

    table: str
    part: str
    reason: str


class Repair:
    """Takes damaged parts out. Thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._found: list[DetachedPart] = []

    def detached(self) -> list[DetachedPart]:
        """Parts out of service: found by ClickHouse at start or by this program since."""
        rows = self._engine.table(
            "SELECT table, name, coalesce(reason, '') AS reason FROM system.detached_parts "
            "WHERE database = currentDatabase() AND reason NOT IN ('ignored', 'clone', 'deleting', 'attaching')"
        )
        known = {part.part: part for part in self._found}
        for row in rows.to_pylist() if rows is not None else []:
            known.setdefault(row["name"], DetachedPart(row["table"], row["name"], row["reason"] or "damaged"))
        return list(known.values())

    def detach_damaged(self) -> bool:
        """Check every table and detach the parts that fail; whether there was any."""
        with self._lock:
            before = len(self._found)
            for table in (*METRIC_TABLES, *ROLLUP_TABLES, *LOG_TABLES, *SPAN_TABLES, *AGENT_TABLES):
                self._check(table.name)
            return len(self._found) > before

    def _check(self, table: str) -> None:
        checked = self._engine.table(
            f"CHECK TABLE {table} SETTINGS check_query_single_value_result = 0, max_threads = 1", add_settings=False
        )
        for row in checked.to_pylist() if checked is not None else []:
            if not row["is_passed"]:
                part = DetachedPart(table, row["part_path"], row["message"])
                self._engine.execute(f"ALTER TABLE {table} DETACH PART '{part.part}'")
                self._found.append(part)
                _log.error("part %s of table %s is damaged and was detached: %s", part.part, table, part.reason)
