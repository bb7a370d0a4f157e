"""A `StateStore` in memory that may fail, and a clock that is moved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from swarmscope.model.errors import UnavailableError

NS = 1_000_000_000
START_NS = 1_700_000_000 * NS


@dataclass
class KeptState:
    records: dict[str, dict[str, bytes]] = field(default_factory=dict)
    is_down: bool = False
    writes: int = 0

    def load(self, kind: str) -> dict[str, bytes]:
        return dict(self.records.get(kind, {}))

    def write(self, kind: str, records: Mapping[str, bytes | None]) -> None:
        if self.is_down:
            raise UnavailableError("down")
        self.writes += 1
        kept = self.records.setdefault(kind, {})
        for key, value in records.items():
            if value is None:
                kept.pop(key, None)
            else:
                kept[key] = value


@dataclass
class MovedClock:
    ns: int = START_NS

    def now_ns(self) -> int:
        return self.ns

    def move(self, seconds: float) -> None:
        self.ns += round(seconds * NS)
