"""A part of lines that is damaged on disk is taken out of service, and the others serve."""

from swarmscope.schema.log_tables import NS_PER_DAY
from tests.store.embedded.logs.log_cases import T_NS, entry, in_order, log_batch, scanned


def test_a_damaged_part_is_left_out(store, folder):
    entries = [entry({"app": "a"}, T_NS + day * NS_PER_DAY, f"day {day} " + "x" * 500) for day in range(2)]
    store.log_sink.write_logs(log_batch(entries))
    assert store.logs.flush()
    assert scanned(store) == in_order(entries)
    days = {}
    for part in (folder / "clickhouse" / "store").glob("*/*/2*_*_*_*"):
        if "metadata" in (part / "columns.txt").read_text():
            days[part.name] = part
    damaged = next(path for path in days[min(days)].iterdir() if path.name in ("data.bin", "line.bin"))
    content = bytearray(damaged.read_bytes())
    content[len(content) // 2] ^= 0xFF
    damaged.write_bytes(content)
    store.engine.execute("SYSTEM DROP UNCOMPRESSED CACHE")
    assert scanned(store) == in_order(entries[1:])
    assert [each.table for each in store.repair.detached()] == ["logs"]
