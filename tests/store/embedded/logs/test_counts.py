"""Counts of lines against a count in Python, from memory, from parts, and from both."""

import random

import pytest

from tests.store.embedded.conftest import budget
from tests.store.embedded.logs.log_cases import T_NS, S, entry, labels_at, log_batch

GRAIN_NS = 10 * S
START_NS = T_NS // GRAIN_NS * GRAIN_NS


def counted(store, name, range_ns=(0, 1 << 61)):
    """{(value of label `name`, level, bucket): (lines, bytes)}"""
    range_ns = tuple(bound // GRAIN_NS * GRAIN_NS for bound in range_ns)
    reader = store.log_reader
    selection = reader.select_streams("default", [], 0, 1 << 62)
    found = reader.count_lines(selection, range_ns, budget())
    out = {}
    for row in range(len(found.stream)):
        label = labels_at(reader, selection, int(found.stream[row]))[name]
        key = (label, int(found.level[row]), int(found.bucket_ns[row]))
        lines, size = out.get(key, (0, 0))
        out[key] = (lines + int(found.lines[row]), size + int(found.bytes[row]))
    return out


@pytest.fixture(scope="module")
def entries():
    chance = random.Random(7)
    entries = []
    for k in range(600):
        # On the edge of a bucket often: a bucket holds its end and not its beginning.
        ts_ns = START_NS + chance.choice([chance.randrange(100) * S, chance.randrange(12) * GRAIN_NS])
        entries.append(
            entry({"app": chance.choice("abc")}, ts_ns, "x" * chance.randrange(9) + str(k), level=chance.randrange(8))
        )
    # A day later, at the first and the last instant of buckets around midnight.
    midnight_ns = (T_NS // (86_400 * S) + 1) * 86_400 * S
    for k, ts_ns in enumerate((midnight_ns - 1, midnight_ns, midnight_ns + 1)):
        entries.append(entry({"app": "a"}, ts_ns, f"midnight {k}"))
    return entries


def by_hand(entries, range_ns):
    out = {}
    for each in entries:
        if range_ns[0] < each["ts_ns"] <= range_ns[1]:
            bucket = (each["ts_ns"] + GRAIN_NS - 1) // GRAIN_NS * GRAIN_NS
            key = (each["labels"]["app"], each.get("level", 0), bucket)
            lines, size = out.get(key, (0, 0))
            out[key] = (lines + 1, size + len(each["line"]))
    return out


@pytest.mark.parametrize("flushes", [0, 1, 5, 6])
def test_counts_are_exact(store, entries, flushes):
    n = len(entries)
    for k in range(6):
        store.log_sink.write_logs(log_batch(entries[k * n // 6 : (k + 1) * n // 6]))
        if k < flushes and (flushes > 1 or k == 0):
            assert store.logs.flush()
    ever = (0, START_NS + 10 * 86_400 * S)
    for range_ns in (ever, (START_NS + 2 * GRAIN_NS, START_NS + 7 * GRAIN_NS), (START_NS, START_NS)):
        assert counted(store, "app", range_ns) == by_hand(entries, range_ns)


def test_unaligned_ranges_are_refused(store):
    selection = store.log_reader.select_streams("default", [], 0, 1 << 62)
    with pytest.raises(ValueError, match="not aligned"):
        store.log_reader.count_lines(selection, (0, 5), budget())


def test_nothing_is_counted_of_nothing(store):
    selection = store.log_reader.select_streams("default", [], 0, 1 << 62)
    assert len(store.log_reader.count_lines(selection, (0, GRAIN_NS), budget()).lines) == 0
