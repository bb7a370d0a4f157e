"""How much is measured."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from bench.processes import Settling


@dataclass(frozen=True, slots=True)
class Plan:
    """Sizes of a run; a round is one sample of every series."""

    rounds: int
    rounds_100k: int
    rounds_1m: int
    runs: int  # times that each question is asked
    settling: Settling
    log_lines: int
    spans: int
    batch: int = 5_000
    connections: int = 4

    def changed(self, **chosen: int | None) -> Plan:
        """The plan with what the command line says otherwise: `rounds`, `runs`, `log_lines`, `spans`."""
        given: dict[str, Any] = {name: value for name, value in chosen.items() if value is not None}
        return replace(self, **given)


def full_plan() -> Plan:
    """Some ten minutes. Swarmscope writes parts ten seconds after the last sample, hence the least wait."""
    return Plan(
        rounds=240, rounds_100k=40, rounds_1m=3, runs=7, settling=Settling(11.0, 20.0), log_lines=20_000_000,
        spans=5_000_000,
    )  # fmt: skip


def quick_plan() -> Plan:
    """Under a minute; without waiting for all merges, so CPU figures are too low and disk figures rough."""
    return Plan(
        rounds=40, rounds_100k=0, rounds_1m=2, runs=2, settling=Settling(0.5, 2.0), log_lines=1_000_000, spans=400_000
    )
