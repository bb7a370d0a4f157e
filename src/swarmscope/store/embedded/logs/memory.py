"""The generations of lines that are not, or not wholly, in parts yet."""

from __future__ import annotations

from swarmscope.store.embedded.generations import Generations, Snapshot
from swarmscope.store.embedded.logs.generation import LogGeneration

LogMemory = Generations[LogGeneration]
LogSnapshot = Snapshot[LogGeneration]


def unflushed_bytes(memory: LogMemory) -> int:
    """How many acknowledged bytes of lines and metadata wait for their part."""
    return sum(generation.lines.n_bytes for generation in memory.snapshot().generations)
