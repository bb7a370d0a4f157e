"""Every `scripts/*.test` file beside this module: on plain data, which obeys a request's hints or passes over them, and
against the real embedded store with the lines in memory, in a part for each load, and in a part for every line.
"""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from swarmscope.store.embedded.logs.log_store import LogStoreSettings
from swarmscope.store.embedded.store import EmbeddedStore, StoreSettings
from swarmscope.testing.logql_runner import run_log_script
from swarmscope.testing.logql_target import LogEngineTarget
from swarmscope.testing.memory_log_reader import MemoryLogReader
from tests.portion import portion

SCRIPTS = sorted((Path(__file__).parent / "scripts").glob("*.test"))
ENOUGH_EVALS = 300


class _WallClock:
    def now_ns(self) -> int:
        return time.time_ns()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    # Scripts begin at 1970, so nothing may expire.
    settings = StoreSettings(tmp_path_factory.mktemp("logql"), logs=LogStoreSettings(retention_s=None))
    opened = EmbeddedStore(settings, _WallClock())
    yield opened
    opened.close()


def _target(kind, store):
    if kind in ("plain", "hinted"):
        reader = MemoryLogReader(batch_lines=2, obeys_hints=kind == "hinted")
        return LogEngineTarget(reader, reader)
    if kind == "memory":
        return LogEngineTarget(store.log_sink, store.log_reader)
    return LogEngineTarget(
        store.log_sink, store.log_reader, batch_lines=1 if kind == "parts" else 1_000, settle=store.logs.flush
    )


@pytest.mark.parametrize("kind", ["hinted", "memory", "parts", "plain", "part"][: portion(5, 3)])
@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_script(path, kind, store):
    failures = run_log_script(path.read_text(), _target(kind, store))
    assert not failures, "\n".join(map(str, failures))


def test_there_are_enough_evals():
    evals = sum(len(re.findall(r"^eval ", path.read_text(), re.MULTILINE)) for path in SCRIPTS)
    assert evals >= ENOUGH_EVALS
