"""Kernels are compiled by another process, whose parts and failure are told."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from swarmscope.app.compiling import compile_kernels


def _stand_in(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    program = folder / "interpreter"
    program.write_text(f"#!{sys.executable}\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", os.fspath(program))


def test_each_part_is_told_as_it_begins(tmp_path, monkeypatch):
    _stand_in(tmp_path, monkeypatch, "import sys; print(sys.argv[1:]); print('wire format'); print('limits')")
    parts: list[str] = []
    assert compile_kernels(parts.append)
    assert parts == ["['-m', 'swarmscope.app.compiling']", "wire format", "limits"]


def test_a_failure_is_no_success(tmp_path, monkeypatch):
    _stand_in(tmp_path, monkeypatch, "print('wire format'); raise SystemExit(3)")
    parts: list[str] = []
    assert not compile_kernels(parts.append)
    assert parts == ["wire format"]


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
