"""Numbered changes of the schema, each applied once, in order, at start.

A step that was cut off is run again at the next start, so every statement must be safe to repeat.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from swarmscope.schema import rollups
from swarmscope.schema.agent_tables import AGENT_TABLES
from swarmscope.schema.log_tables import LOG_TABLES
from swarmscope.schema.span_tables import SPAN_TABLES
from swarmscope.schema.tables import METRIC_TABLES

VERSION_TABLE = "schema_version"
_CREATE_VERSION_TABLE = (
    f"CREATE TABLE IF NOT EXISTS {VERSION_TABLE} (version UInt32, program String, applied_ms Int64) "
    "ENGINE = MergeTree ORDER BY version"
)


@dataclass(frozen=True, slots=True)
class Migration:
    """One step from `version - 1` to `version`."""

    version: int
    statements: tuple[str, ...]


MIGRATIONS: tuple[Migration, ...] = (
    Migration(version=1, statements=tuple(table.create_statement() for table in METRIC_TABLES)),
    Migration(version=2, statements=rollups.STATEMENTS),
    Migration(version=3, statements=tuple(table.create_statement() for table in LOG_TABLES)),
    Migration(version=4, statements=tuple(table.create_statement() for table in SPAN_TABLES)),
    Migration(version=5, statements=tuple(table.create_statement() for table in AGENT_TABLES)),
)
LATEST_VERSION = MIGRATIONS[-1].version


class NewerSchemaError(Exception):
    """The folder was written by a newer program than this one."""


def run_migrations(
    execute: Callable[[str], None], stored_version: Callable[[], int], record: Callable[[int], None]
) -> list[int]:
    """Bring the database to LATEST_VERSION; returns the versions applied now.

    `execute` runs one statement, `stored_version` reads the highest recorded version (0 for none) and `record`
    writes a version down. Raises NewerSchemaError when the folder is ahead of this program.
    """
    execute(_CREATE_VERSION_TABLE)
    current = stored_version()
    if current > LATEST_VERSION:
        raise NewerSchemaError(
            f"the data folder has schema version {current}, written by a newer Swarmscope; this one knows versions "
            f"up to {LATEST_VERSION}: upgrade the program, or give another --data folder"
        )
    applied = []
    for migration in MIGRATIONS:
        if migration.version > current:
            for statement in migration.statements:
                execute(statement)
            record(migration.version)
            applied.append(migration.version)
    return applied
