import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import swarmscope
from swarmscope.app import kernel_cache

PACKAGE = Path(swarmscope.__file__).parent

INNER = "from numba import njit\n\n\n@njit(cache=True)\ndef inner(x):\n    return x + {amount}\n"
OUTER = """from numba import njit

from swarmscope.inner import inner


@njit(cache=True)
def outer(x):
    return inner(x) * 10
"""


@pytest.fixture
def no_choice(monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")  # set first, so that what the code sets is taken back


@pytest.fixture
def package(tmp_path):
    folder = tmp_path / "swarmscope"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "inner.py").write_text(INNER.format(amount=1))
    (folder / "outer.py").write_text(OUTER)
    (folder / "other.py").write_text("from swarmscope.outer import outer\n")
    return folder


def fingerprint(package):
    kernel_cache.fingerprint.cache_clear()
    return kernel_cache.fingerprint(package)


def test_writable_package_keeps_its_kernels_beside_the_source(no_choice, monkeypatch):
    monkeypatch.setattr(kernel_cache, "_is_writable", lambda folder: True)
    monkeypatch.setattr(kernel_cache, "_remove_unused", lambda root, current: None)
    folder = kernel_cache.prepare_cache()
    assert folder.parent == PACKAGE / "__pycache__"
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)


def test_read_only_package_uses_the_users_folder(no_choice, monkeypatch, tmp_path):
    monkeypatch.setattr(kernel_cache, "_is_writable", lambda folder: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = kernel_cache.prepare_cache()
    assert folder.is_relative_to(tmp_path)
    assert folder.is_dir()
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)


def test_kernels_go_below_the_folder_of_the_users_choice_and_no_deeper_in_a_child(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    folder = kernel_cache.prepare_cache()
    assert folder.parent == tmp_path
    assert kernel_cache.prepare_cache() == folder


def test_folders_that_were_not_used_for_a_day_are_removed(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    old, recent, foreign = (tmp_path / name for name in ("kernels-old", "kernels-recent", "something"))
    for folder in (old, recent, foreign):
        (folder / "below").mkdir(parents=True)
    yesterday_s = time.time() - 25 * 3600
    for folder in (old, foreign):
        os.utime(folder, (yesterday_s, yesterday_s))
    current = kernel_cache.prepare_cache()
    assert set(tmp_path.iterdir()) == {current, recent, foreign}


def test_of_many_folders_the_last_used_are_kept(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    for hours in range(6):
        folder = tmp_path / f"kernels-{hours}"
        folder.mkdir()
        used_s = time.time() - hours * 3600 - 60
        os.utime(folder, (used_s, used_s))
    current = kernel_cache.prepare_cache()
    assert set(tmp_path.iterdir()) == {current, *(tmp_path / f"kernels-{hours}" for hours in range(3))}


def test_what_kernels_are_made_from_names_the_folder(package, monkeypatch):
    first = fingerprint(package)
    (package / "other.py").write_text("import swarmscope.outer\n")
    assert fingerprint(package) == first
    (package / "inner.py").write_text(INNER.format(amount=2))
    second = fingerprint(package)
    assert second != first
    monkeypatch.setattr(kernel_cache, "version", lambda name: "another")
    assert fingerprint(package) not in (first, second)


def test_a_kernel_made_from_an_older_file_is_never_run(package, tmp_path):
    def run():
        environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
        environment["NUMBA_CACHE_DIR"] = str(tmp_path / f"kernels-{fingerprint(package)}")
        program = "from swarmscope.outer import outer; print(outer(1))"
        return subprocess.check_output([sys.executable, "-c", program], env=environment, text=True).strip()

    assert run() == "20"
    (package / "inner.py").write_text(INNER.format(amount=2))
    assert run() == "30"


def test_what_is_marked_is_complete(tmp_path):
    assert not kernel_cache.is_complete(tmp_path)
    kernel_cache.mark_complete(tmp_path)
    assert not kernel_cache.is_complete(tmp_path)
    (tmp_path / "kernel.nbi").touch()
    assert kernel_cache.is_complete(tmp_path)


@pytest.mark.parametrize("module", ["launch", "checking"])
def test_the_command_line_chooses_the_folder_before_numba_is_there(module, tmp_path):
    program = f"from swarmscope.app import cli; cli._server_part('swarmscope.app.{module}')"
    program += "; from numba import config; print(config.CACHE_DIR)"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    told = subprocess.check_output([sys.executable, "-c", program], env=environment, text=True).strip()
    assert Path(told) == tmp_path / f"kernels-{fingerprint(PACKAGE)}"


def test_writability_is_tried_and_leaves_nothing(tmp_path):
    assert kernel_cache._is_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not kernel_cache._is_writable(tmp_path / "missing")


@pytest.mark.parametrize("mode", [0o775, 0o777])
def test_a_folder_that_others_may_write_to_is_refused(no_choice, monkeypatch, tmp_path, caplog, mode):
    chosen, own = tmp_path / "chosen", tmp_path / "own"
    planted = chosen / (kernel_cache._PREFIX + kernel_cache.fingerprint(PACKAGE))
    planted.mkdir(parents=True)
    planted.chmod(mode)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(chosen))
    monkeypatch.setenv("XDG_CACHE_HOME", str(own))
    folder = kernel_cache.prepare_cache()
    assert folder == own / "swarmscope" / planted.name
    assert os.environ["NUMBA_CACHE_DIR"] == str(folder)
    assert f"other users may write to {planted}" in caplog.text


def test_a_folder_of_another_user_is_refused(no_choice, monkeypatch, tmp_path, caplog):
    chosen = tmp_path / "chosen"
    (chosen / (kernel_cache._PREFIX + kernel_cache.fingerprint(PACKAGE))).mkdir(parents=True)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(chosen))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    owner = chosen.stat().st_uid
    if owner == 0:  # what belongs to root is everybody's to trust
        os.chown(chosen, 12345, -1)
    monkeypatch.setattr(kernel_cache.os, "geteuid", lambda: owner + 1)
    folder = kernel_cache.prepare_cache()
    assert chosen not in folder.parents
    assert "belongs to another user" in caplog.text


def test_a_link_in_place_of_the_folder_is_refused(no_choice, monkeypatch, tmp_path, caplog):
    chosen, elsewhere = tmp_path / "chosen", tmp_path / "elsewhere"
    chosen.mkdir()
    elsewhere.mkdir()
    (chosen / (kernel_cache._PREFIX + kernel_cache.fingerprint(PACKAGE))).symlink_to(elsewhere)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(chosen))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    assert kernel_cache.prepare_cache().parent == tmp_path / "own" / "swarmscope"
    assert "is not a folder" in caplog.text
