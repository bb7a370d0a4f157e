"""Every `scripts/*.test` file beside this module, run against the real embedded store."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from swarmscope.query.promql.engine import PromqlEngine
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from swarmscope.testing.promql_runner import run_script
from swarmscope.testing.script_target import EngineTarget

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.test"))


class _WallClock:
    def now_ns(self) -> int:
        return time.time_ns()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    # Scripts begin at 1970, so nothing may expire.
    settings = StoreSettings(tmp_path_factory.mktemp("scripts"), metrics_retention_s=None)
    opened = EmbeddedStore(settings, _WallClock())
    yield opened
    opened.close()


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_script(path, store):
    target = EngineTarget(store.sink, PromqlEngine(store.reader))
    failures = run_script(path.read_text(), target)
    assert not failures, "\n".join(map(str, failures))


def test_there_are_scripts():
    assert SCRIPTS
