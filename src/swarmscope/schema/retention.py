"""How long data is kept, as ClickHouse TTL."""

from __future__ import annotations

from swarmscope.schema.tables import Table


def ttl_statement(table: Table, retention_s: int | None) -> str:
    """ALTER TABLE that sets or (None) removes the retention of a table with a time column.

    Times before 1970 count as 1970: ClickHouse's DateTime starts there.
    """
    if retention_s is None:
        return f"ALTER TABLE {table.name} REMOVE TTL"
    written_s = f"intDiv(greatest({table.time_column}, 0), {table.ticks_per_second})"
    return f"ALTER TABLE {table.name} MODIFY TTL toDateTime({written_s}) + INTERVAL {retention_s} SECOND DELETE"
