import numpy as np
import pyarrow as pa
import pytest

from swarmscope.model.errors import UnavailableError
from swarmscope.store.embedded.engine import Engine

COLUMNS = "a UInt32, b Int64, CONSTRAINT small CHECK a < 100"


@pytest.fixture
def engine(tmp_path):
    made = Engine(tmp_path / "clickhouse", max_memory_bytes=1 << 30, readers=1, backups=tmp_path / "backups")
    made.execute(f"CREATE TABLE t ({COLUMNS}) ENGINE = ReplacingMergeTree ORDER BY a")
    yield made
    made.close()


def rows(engine):
    found = engine.table("SELECT a, b FROM t ORDER BY a, b")
    return [] if found is None else [tuple(row.values()) for row in found.to_pylist()]


def by_columns(engine, a, b):
    engine.insert("t", {"a": np.array(a, np.uint32), "b": np.array(b, np.int64)})


def by_arrow(engine, a, b):
    # Not in the table's order, and with a column left out that has a default.
    engine.insert_arrow("t", pa.record_batch({"b": pa.array(b, pa.int64()), "a": pa.array(a, pa.uint32())}))


@pytest.mark.parametrize("insert", [by_columns, by_arrow])
def test_what_a_table_cannot_take_is_told_and_what_follows_goes_in(engine, insert):
    insert(engine, [1, 2], [10, 20])
    with pytest.raises(UnavailableError, match=r"table t cannot be written: .*small"):
        insert(engine, [3, 100], [30, 40])
    insert(engine, [4], [50])
    assert rows(engine) == [(1, 10), (2, 20), (4, 50)]


def test_an_insert_makes_one_part_and_repeats_are_inserted_again(engine):
    a = np.arange(200_000, dtype=np.uint32) % 100
    engine.execute("CREATE TABLE u (a UInt32, b Int64) ENGINE = MergeTree ORDER BY a")
    for _ in range(2):
        engine.insert("u", {"a": np.sort(a), "b": np.arange(200_000, dtype=np.int64)})
    parts = engine.table("SELECT rows FROM system.parts WHERE table = 'u' AND active ORDER BY name")
    assert parts.column("rows").to_pylist() in ([200_000, 200_000], [400_000])
