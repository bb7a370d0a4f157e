"""How long data is kept, as ClickHouse TTL."""

from __future__ import annotations

from swarmscope.schema.tables import Table

MS_PER_SECOND = 1000


def ttl_statement(table: Table, retention_s: int | None) -> str:
    """ALTER TABLE that sets or (None) removes the retention of a table with a time column.

    Times before 1970 count as 1970: ClickHouse's DateTime starts there.
    """
    if retention_s is None:
        return f"ALTER TABLE {table.name} REMOVE TTL"
    return (
        f"ALTER TABLE {table.name} MODIFY TTL "
        f"toDateTime(intDiv(greatest({table.time_column}, 0), {MS_PER_SECOND})) + INTERVAL {retention_s} SECOND DELETE"
    )
