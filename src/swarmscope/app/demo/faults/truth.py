"""The truth about faults: what was injected into which agents, and when."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from swarmscope.app.demo.simulation.timeline import NS_PER_S


@dataclass(slots=True, eq=False)
class Injection:
    """One fault. `begin_ns` is 0 until its effect begins, `end_ns` is 0 while it lasts."""

    kind: str
    agents: tuple[str, ...]
    begin_ns: int = 0
    end_ns: int = 0
    details: dict[str, str | float] = field(default_factory=dict)

    def to_json(self) -> dict[str, object]:
        """As it stands in the file; see docs/demo.md."""
        return {
            "kind": self.kind,
            "agents": list(self.agents),
            "begin_ns": self.begin_ns,
            "end_ns": self.end_ns or None,
            "begin": _moment(self.begin_ns),
            "end": _moment(self.end_ns) if self.end_ns else None,
            "details": self.details,
        }


def _moment(at_ns: int) -> str:
    return datetime.fromtimestamp(at_ns / NS_PER_S, UTC).isoformat(timespec="milliseconds")


def write_truth(file: Path, seed: int, start_ns: int, injections: list[Injection]) -> None:
    """Write the file anew: a reader sees the old or the new one whole."""
    begun = sorted((each for each in injections if each.begin_ns), key=lambda each: each.begin_ns)
    story = {
        "version": 1, "seed": seed, "start_ns": start_ns, "start": _moment(start_ns),
        "faults": [each.to_json() for each in begun],
    }  # fmt: skip
    beside = file.with_name(file.name + ".new")
    beside.write_text(json.dumps(story, indent=1) + "\n", encoding="utf-8")
    beside.replace(file)
