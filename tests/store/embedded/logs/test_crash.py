"""Death at every step between the append to the journal and the removal of the segment: each line is there once."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from swarmscope.store.embedded.journal import read_segment
from tests.portion import portion
from tests.store.embedded.logs.log_cases import T_NS, S, entry, in_order, log_batch, scanned
from tests.store.embedded.logs.test_counts import by_hand, counted

DAY_NS = 86_400 * S
A, B = {"app": "a"}, {"app": "b"}
# Three days, so that one segment is three inserts of lines and three of counts.
ENTRIES = [
    entry(labels, T_NS + day * DAY_NS + k * S, f"{labels['app']} {day} {k}", {"k": str(k)})
    for labels in (A, B)
    for day in range(3)
    for k in range(5)
]
EVER = (0, (T_NS + 100 * DAY_NS) // (10 * S) * 10 * S)


def check(store):
    assert scanned(store) == in_order(ENTRIES)
    assert counted(store, "app", EVER) == by_hand(ENTRIES, EVER)


# What a process does that dies by SIGKILL within its flush: before the n-th insert into tables of lines, or behind it.
_VICTIM = """
import os, signal, sys
from pathlib import Path
from swarmscope.store.embedded.engine import Engine
from swarmscope.store.embedded.journal import Segment
from swarmscope.store.embedded.logs.log_store import LogStoreSettings
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from tests.store.embedded.conftest import SystemClock
from tests.store.embedded.logs.log_cases import log_batch
from tests.store.embedded.logs.test_crash import ENTRIES

folder, stage, nth = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
store = EmbeddedStore(StoreSettings(folder, logs=LogStoreSettings(None)), SystemClock())
inserts = 0
insert, remove = Engine.insert, Segment.remove

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def counting(self, table, columns):
    global inserts
    if table not in ("logs", "log_counts"):
        return insert(self, table, columns)
    inserts += 1
    if stage == "before" and inserts == nth:
        die()
    insert(self, table, columns)
    if stage == "behind" and inserts == nth:
        die()

Engine.insert = counting
Segment.remove = lambda self: die() if stage == "removal" else remove(self)
store.log_sink.write_logs(log_batch(ENTRIES))
print("acknowledged", flush=True)
store.logs.flush()
print("flushed", flush=True)
"""


def die_at(folder, stage, nth):
    root = Path(__file__).parents[4]
    ran = subprocess.run(
        [sys.executable, "-c", _VICTIM, str(folder), stage, str(nth)],
        cwd=root, env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert ran.stdout == "acknowledged\n", ran.stderr
    assert ran.returncode == -signal.SIGKILL


# The inserts are lines of three days and then counts of three days.
_STAGES = [("behind", 1), ("before", 3), ("removal", 0), ("before", 1), ("behind", 3), ("behind", 4)]


@pytest.mark.parametrize(("stage", "nth"), _STAGES[: portion(6, 3)])
def test_killed_within_a_flush(open_logs, folder, stage, nth):
    die_at(folder, stage, nth)
    assert sum(path.stat().st_size > 0 for path in (folder / "journal-logs").glob("*.journal")) == 1
    store = open_logs()
    check(store)
    assert [path.name for path in (folder / "journal-logs").glob("*.journal")] == [
        store.logs.memory.active.segment.path.name
    ]
    store.close()
    check(open_logs())


def test_a_folder_of_which_only_the_journal_is_left(open_logs, folder, tmp_path):
    store = open_logs()
    for begin in range(0, len(ENTRIES), 4):
        store.log_sink.write_logs(log_batch(ENTRIES[begin : begin + 4]))
    shutil.copytree(folder / "journal-logs", tmp_path / "journal-logs")
    store.close()
    shutil.rmtree(folder)
    folder.mkdir()
    shutil.copytree(tmp_path / "journal-logs", folder / "journal-logs")
    check(open_logs())


def _damage(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 4
    path.write_bytes(data)


def test_a_damaged_segment_is_set_aside_and_the_rest_is_taken(open_logs, folder):
    store = open_logs()
    sizes = []
    for begin in range(0, len(ENTRIES), 10):
        store.log_sink.write_logs(log_batch(ENTRIES[begin : begin + 10]))
        sizes.append(store.logs.memory.active.segment.path.stat().st_size)
    segment = store.logs.memory.active.segment.path
    kept = segment.read_bytes()
    store.close()
    shutil.rmtree(folder / "clickhouse")
    segment.write_bytes(kept)
    assert len(read_segment(segment).frames) == 3
    _damage(segment, sizes[1] - 10)  # within the second commit, of which stream b is
    store = open_logs()
    assert scanned(store) == in_order(ENTRIES[:10])
    assert [path.name for path in store.logs._journal.damaged()] == [segment.name]
    # The number of the stream that is lost goes to no other.
    store.log_sink.write_logs(log_batch([entry({"app": "c"}, T_NS, "new")]))
    assert scanned(store) == in_order([*ENTRIES[:10], entry({"app": "c"}, T_NS, "new")])
    assert store.log_reader.label_values("default", "app", [], 0, 1 << 62) == ["a", "c"]


def test_a_torn_end_is_no_damage(open_logs, folder):
    store = open_logs()
    store.log_sink.write_logs(log_batch(ENTRIES))
    segment = store.logs.memory.active.segment.path
    kept = segment.read_bytes()
    store.close()
    shutil.rmtree(folder / "clickhouse")
    segment.write_bytes(kept + kept[: len(kept) // 2])
    store = open_logs()
    check(store)
    assert store.logs._journal.damaged() == []


_WRITER = """
import sys
from pathlib import Path
from swarmscope.store.embedded.logs.commit import LogCommitSettings
from swarmscope.store.embedded.logs.log_store import LogStoreSettings
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from tests.store.embedded.conftest import SystemClock
from tests.store.embedded.logs.log_cases import T_NS, S, entry, log_batch

commit = LogCommitSettings(max_generation_lines=300)
store = EmbeddedStore(StoreSettings(Path(sys.argv[1]), logs=LogStoreSettings(None, commit=commit)), SystemClock())
n = int(sys.argv[2])
while True:
    some = [entry({"app": "ab"[k % 2]}, T_NS + k * S // 100, f"line {k}", {"k": str(k)}) for k in range(n, n + 50)]
    store.log_sink.write_logs(log_batch(some))
    n += 50
    print(n, flush=True)
"""


def test_killed_while_writing(open_logs, folder):
    root = Path(__file__).parents[4]
    done = 0
    for round_ in range(portion(3, 1)):
        writer = subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(folder), str(done)],
            cwd=root, env={**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        assert writer.stdout is not None
        target = done + 1000 + 400 * round_
        for told in writer.stdout:
            done = int(told)
            if done >= target:
                break
        time.sleep(0.05 * round_)
        writer.kill()
        done = max([done, *(int(told) for told in writer.stdout.read().split())])
        writer.wait()
    lines = [each["line"] for each in scanned(open_logs())]
    assert len(lines) == len(set(lines))
    acknowledged = {f"line {k}" for k in range(done)}
    # One batch may be in that was not answered any more.
    assert acknowledged <= set(lines) <= acknowledged | {f"line {k}" for k in range(done, done + 50)}


def test_a_lost_counter_of_segments_hides_no_line(open_logs, folder):
    store = open_logs()
    store.log_sink.write_logs(log_batch(ENTRIES))
    store.close()
    # What a power loss may leave of a file that was just written.
    (folder / "journal-logs" / "next").write_bytes(b"")
    store = open_logs()
    later = [entry(A, T_NS + 50 * DAY_NS, "later")]
    store.log_sink.write_logs(log_batch(later))
    assert scanned(store) == in_order(ENTRIES + later)
    assert store.logs.flush()
    assert scanned(store) == in_order(ENTRIES + later)
