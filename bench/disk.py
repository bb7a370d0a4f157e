"""What a data folder takes on disk, and what it takes once everything is merged."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.systems import HOST, System

_MERGE_TIMEOUT_S = 180

# In a process of its own: chDB cannot be opened on a second folder in one process.
_MERGE_SWARMSCOPE = """
import json, sys
import chdb
connection = chdb.connect(sys.argv[1])
def rows(sql):
    text = str(connection.query(sql, "JSONEachRow"))
    return [json.loads(line) for line in text.splitlines() if line]
tables = "database = currentDatabase() AND engine LIKE '%MergeTree'"
for row in rows(f"SELECT name FROM system.tables WHERE {tables}"):
    connection.query(f"OPTIMIZE TABLE {row['name']} FINAL")
sizes = rows("SELECT table, sum(bytes_on_disk) AS bytes FROM system.parts "
             "WHERE active AND database = currentDatabase() GROUP BY table")
print(json.dumps({row["table"]: int(row["bytes"]) for row in sizes}))
connection.close()
"""


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Bytes of a stopped server's data folder."""

    total: int
    journal: int
    merged: int  # once all that can be merged is merged
    merged_by_table: dict[str, int]
    note: str

    def to_json(self) -> dict[str, object]:
        """As it stands in the result file."""
        return asdict(self)


def folder_bytes(folder: Path) -> int:
    """Lengths of all files under a folder; of files with several names only one counts."""
    seen: dict[tuple[int, int], int] = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink():
            status = path.stat()
            seen[status.st_dev, status.st_ino] = status.st_size
    return sum(seen.values())


def force_merge(system: System, port: int, data: Path) -> int:
    """Before the stop: let the server merge what it will; Prometheus makes a block. Returns the block's bytes or 0."""
    if system.force_merge_path:
        with urllib.request.urlopen(f"http://{HOST}:{port}{system.force_merge_path}", timeout=_MERGE_TIMEOUT_S):
            pass
    if system.snapshot_path:
        request = urllib.request.Request(f"http://{HOST}:{port}{system.snapshot_path}", method="POST")
        with urllib.request.urlopen(request, timeout=_MERGE_TIMEOUT_S) as answer:
            name = json.load(answer)["data"]["name"]
        return folder_bytes(data / "snapshots" / name)
    return 0


def measure_disk(system: System, data: Path, snapshot_bytes: int) -> DiskUse:
    """The folder of a server that was stopped, after `force_merge`."""
    total = folder_bytes(data) - snapshot_bytes
    journal = sum(folder_bytes(data / name) for name in system.journal)
    if system.name == "swarmscope":
        by_table = _merge_swarmscope(data)
        return DiskUse(total, journal, sum(by_table.values()) + journal, by_table, "live parts after OPTIMIZE, journal")
    if snapshot_bytes:
        return DiskUse(total, journal, snapshot_bytes, {}, "a block made of the head (snapshot), without the WAL")
    return DiskUse(total, journal, total, {}, "whole folder after a forced merge")


def _merge_swarmscope(data: Path) -> dict[str, int]:
    command = [sys.executable, "-c", _MERGE_SWARMSCOPE, str(data / "clickhouse")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_MERGE_TIMEOUT_S, check=True)
    sizes: dict[str, int] = json.loads(done.stdout.strip().splitlines()[-1])
    return sizes
