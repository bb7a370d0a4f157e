"""Kernels are compiled by another process, whose parts and failure are told."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from swarmscope.app.compiling import _claimed, compile_kernels


def _stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "interpreter"
    program.write_text(f"#!{sys.executable}\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", os.fspath(program))


def test_each_part_is_told_as_it_begins_by_processes_that_share_a_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    _stand_in(tmp_path, monkeypatch, "import sys; print(sys.argv[1:]); print('wire format'); print('limits')")
    parts: list[str] = []
    assert compile_kernels(parts.append)
    commands = {part for part in parts if part.startswith("[")}
    assert len(commands) == 1
    assert commands.pop().startswith("['-m', 'swarmscope.app.compiling', '")
    assert sorted(parts)[2:] == ["limits", "limits", "wire format", "wire format"]


def test_a_part_is_claimed_once(tmp_path):
    assert [_claimed(tmp_path, part) for part in ("a, b", "c", "a, b")] == [True, True, False]


def test_one_that_fails_is_a_failure(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 2)
    script = f"import os\nos.mkdir({os.fspath(tmp_path / 'first')!r})"  # the second one cannot make it again
    _stand_in(tmp_path, monkeypatch, script)
    assert not compile_kernels(lambda part: None)


def test_a_failure_is_no_success(tmp_path, monkeypatch):
    _stand_in(tmp_path, monkeypatch, "print('wire format'); raise SystemExit(3)")
    parts: list[str] = []
    assert not compile_kernels(parts.append)
    assert set(parts) == {"wire format"}


def test_a_program_that_cannot_be_started_is_no_success(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", os.fspath(tmp_path / "missing"))
    assert not compile_kernels(lambda part: None)


def test_the_other_process_ends_when_waiting_for_it_is_given_up(tmp_path, monkeypatch):
    note = tmp_path / "note"
    _stand_in(
        tmp_path,
        monkeypatch,
        f"import time; print('begun', flush=True); time.sleep(5); open({os.fspath(note)!r}, 'w').close()",
    )

    def interrupt(part: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compile_kernels(interrupt)
    assert not note.exists()


def test_writers_of_the_cache_take_turns(tmp_path):
    """Two processes add signatures to one function's index: none is lost."""
    module = tmp_path / "added.py"
    module.write_text("from numba import njit\n\n@njit(cache=True)\ndef add(a, b):\n    return a + b\n")
    script = (
        "import sys; from pathlib import Path; import numpy as np\n"
        "from swarmscope.app.compiling import _write_in_turn\n"
        f"_write_in_turn(Path({os.fspath(tmp_path)!r}))\n"
        "from added import add\n"
        "for name in sys.argv[1].split(','): add(np.dtype(name).type(1), np.dtype(name).type(1))\n"
    )
    environment = {**os.environ, "NUMBA_CACHE_DIR": os.fspath(tmp_path), "PYTHONPATH": os.fspath(tmp_path)}
    kinds = ("int8,int16,int32,int64,float32", "uint8,uint16,uint32,uint64,float64")
    writers = [subprocess.Popen([sys.executable, "-c", script, kind], env=environment) for kind in kinds]
    assert [writer.wait() for writer in writers] == [0, 0]
    (index,) = tmp_path.rglob("*.nbi")
    assert len(list(index.parent.glob("*.nbc"))) == 10
