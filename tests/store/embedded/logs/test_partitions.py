"""Where lines of any time go: the numbers that Python gives are those of ClickHouse, and old times share some."""

import numpy as np

from swarmscope.schema.log_tables import FIRST_DAILY_NS, LOGS, NS_PER_DAY, OLD_PARTITION_NS, partitions
from tests.store.embedded.logs.log_cases import S, entry, in_order, log_batch, scanned

TIMES = [0, 1, OLD_PARTITION_NS - 1, OLD_PARTITION_NS, FIRST_DAILY_NS - 1, FIRST_DAILY_NS, FIRST_DAILY_NS + NS_PER_DAY]


def test_both_sides_agree(store):
    listed = ", ".join(map(str, TIMES))
    answer = store.engine.columns(
        f"SELECT {LOGS.partition_by} AS p FROM (SELECT arrayJoin([{listed}]::Array(Int64)) AS ts)"
    )
    assert answer["p"].astype(np.int64).tolist() == partitions(np.array(TIMES, np.int64)).tolist()
    assert partitions(np.array(TIMES, np.int64)).tolist() == [0, 0, 0, 1, 681, 20454, 20455]


def test_many_old_days_are_few_parts(store):
    entries = [entry({"app": "a"}, k * NS_PER_DAY + S, str(k)) for k in range(0, 3000, 7)]
    store.log_sink.write_logs(log_batch(entries))
    assert store.logs.flush()
    parts = store.engine.columns("SELECT uniqExact(_partition_id) AS n FROM logs")
    assert int(parts["n"][0]) == 100
    assert scanned(store) == in_order(entries)
