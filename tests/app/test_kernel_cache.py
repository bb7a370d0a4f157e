from pathlib import Path

import pytest

import swarmscope
from swarmscope.app import kernel_cache


@pytest.fixture
def no_choice(monkeypatch):
    monkeypatch.setenv("NUMBA_CACHE_DIR", "")  # set first, so that what the code sets is taken back


def test_writable_package_keeps_its_kernels_beside_the_source(no_choice, monkeypatch):
    monkeypatch.setattr(kernel_cache, "_is_writable", lambda folder: True)
    assert kernel_cache.prepare_cache() == Path(swarmscope.__file__).parent


def test_read_only_package_uses_the_users_folder(no_choice, monkeypatch, tmp_path):
    monkeypatch.setattr(kernel_cache, "_is_writable", lambda folder: False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    folder = kernel_cache.prepare_cache()
    assert folder.is_relative_to(tmp_path)
    assert folder.is_dir()
    assert kernel_cache.os.environ["NUMBA_CACHE_DIR"] == str(folder)


def test_a_choice_of_the_users_stands(monkeypatch, tmp_path):
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    assert kernel_cache.prepare_cache() == tmp_path


def test_what_is_marked_is_complete_until_the_program_changes(monkeypatch, tmp_path):
    assert not kernel_cache.is_complete(tmp_path)
    kernel_cache.mark_complete(tmp_path)
    assert kernel_cache.is_complete(tmp_path)
    monkeypatch.setattr(kernel_cache, "version", lambda name: "another")
    assert not kernel_cache.is_complete(tmp_path)


def test_writability_is_tried_and_leaves_nothing(tmp_path):
    assert kernel_cache._is_writable(tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert not kernel_cache._is_writable(tmp_path / "missing")
