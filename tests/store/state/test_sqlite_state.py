"""Small records: all or none of a write, across restarts, from many threads."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import pytest

from swarmscope.model.errors import UnavailableError
from swarmscope.store.state.sqlite_state import FILE, SqliteState


def test_records_outlive_the_process(tmp_path: Path) -> None:
    killed = f"""
import os, pathlib, signal
from swarmscope.store.state.sqlite_state import SqliteState
state = SqliteState(pathlib.Path({str(tmp_path)!r}))
state.write("silence", {{"a": b"1", "b": b"2"}})
state.write("silence", {{"a": None, "b": b"3"}})
os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", killed], check=False)
    state = SqliteState(tmp_path)
    assert state.load("silence") == {"b": b"3"}
    assert state.load("rule") == {}
    state.close()


def test_a_write_is_whole_or_not_at_all(tmp_path: Path) -> None:
    state = SqliteState(tmp_path)
    state.write("rule", {"x": b"old"})
    broken = {"x": b"new", "y": 5.5 + 1j}  # SQLite has no complex numbers
    with pytest.raises(UnavailableError, match="cannot write rule records"):
        state.write("rule", broken)  # type: ignore[arg-type]
    assert state.load("rule") == {"x": b"old"}
    state.write("rule", {"x": b"new"})
    assert state.load("rule") == {"x": b"new"}
    state.close()


def test_threads_share_it(tmp_path: Path) -> None:
    state = SqliteState(tmp_path)

    def work(name: str) -> None:
        for at in range(50):
            state.write("n", {f"{name}{at}": str(at).encode()})

    threads = [threading.Thread(target=work, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(state.load("n")) == 200
    state.close()


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database at all" * 100)
    with pytest.raises(UnavailableError, match=FILE):
        SqliteState(tmp_path)


def test_after_close_it_says_so(tmp_path: Path) -> None:
    state = SqliteState(tmp_path)
    state.close()
    with pytest.raises(UnavailableError, match="cannot read"):
        state.load("rule")
