"""Every table that grows with time has the retention, and loses it with the setting."""

from swarmscope.schema.agent_tables import AGENT_EDGES, AGENT_FINDINGS, AGENT_USAGE
from swarmscope.schema.rollups import ROLLUP_TABLES, TOUCHED
from swarmscope.schema.tables import TIMED_METRIC_TABLES

OF_AGENTS = (AGENT_EDGES, AGENT_USAGE, AGENT_FINDINGS)
GROWING = {table.name for table in (*TIMED_METRIC_TABLES, *ROLLUP_TABLES, TOUCHED, *OF_AGENTS)}


def tables_with_ttl(store):
    rows = store.engine.table(
        "SELECT name FROM system.tables WHERE create_table_query LIKE '% TTL %toIntervalSecond(86400)%'"
    )
    return set() if rows is None else {str(name) for name in rows["name"].to_pylist()}


def test_every_growing_table_has_the_retention(open_store):
    store = open_store(metrics_retention_s=86_400)
    assert {name.strip("b'") for name in tables_with_ttl(store)} == GROWING
    store.close()
    assert tables_with_ttl(open_store(metrics_retention_s=None)) == set()
