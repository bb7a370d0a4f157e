"""A system that runs: started in a folder of its own, asked, weighed and stopped."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.bodies import Load
from bench.disk import force_merge, measure_disk
from bench.processes import ServerProcess
from bench.questions import questions
from bench.reading import Asker, measure_queries, summarise
from bench.systems import System, answers, free_port

# A first start of Swarmscope compiles its kernels.
_START_TIMEOUT_S = 240


@dataclass(frozen=True, slots=True)
class Running:
    """A started system."""

    system: System
    port: int
    process: ServerProcess
    data: Path


@contextmanager
def start(system: System, folder: Path) -> Iterator[Running]:
    """Start a system with its data under `folder`, and stop it at the end of the block."""
    data, port = folder / "data", free_port()
    data.mkdir()
    with ServerProcess(system.command(port, data), folder / "log") as process:
        process.wait_ready(lambda: answers(port, system.ready_path), _START_TIMEOUT_S)
        yield Running(system, port, process, data)


def measure_everything_at_rest(
    running: Sequence[Running], load: Load, runs: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Ask the questions, then stop each server and weigh its folder: results by system, of queries and of disk."""
    askers = [Asker(one.system, one.port, one.process) for one in running]
    try:
        answered = measure_queries(askers, questions(load), runs)
    finally:
        for asker in askers:
            asker.close()
    queries = {
        name: {**summarise(results).to_json(), "queries": [result.to_json() for result in results]}
        for name, results in answered.items()
    }
    return queries, {one.system.name: _weigh(one, load) for one in running}


def _weigh(one: Running, load: Load) -> dict[str, Any]:
    snapshot_bytes = force_merge(one.system, one.port, one.data)
    one.process.stop()
    use = measure_disk(one.system, one.data, snapshot_bytes)
    per_sample = 1 / load.n_samples
    return {
        **use.to_json(),
        "total_per_sample": use.total * per_sample,
        "without_journal_per_sample": (use.total - use.journal) * per_sample,
        "merged_per_sample": use.merged * per_sample,
    }
