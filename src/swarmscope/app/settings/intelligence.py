"""What is measured of the fleet as a whole, and what that may cost."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from swarmscope.app.durations import parse_duration
from swarmscope.app.settings.fields import Count, PositiveLength, Section
from swarmscope.intelligence.groups import WHOLE_FLEET
from swarmscope.intelligence.measurement import Measuring
from swarmscope.intelligence.worker import WorkerSettings

Name = Annotated[str, StringConstraints(min_length=1, max_length=256)]


class IntelligenceSettings(Section):
    """Integration, emergence, coherence and coordination of agents; see [intelligence](intelligence.md)."""

    enabled: bool = Field(default=True, description="Measure again and again, and write the series.")
    interval: PositiveLength = Field(
        default=parse_duration("5m"), description="Time between two rounds of measurements."
    )
    window: PositiveLength = Field(
        default=parse_duration("1h"), description="What a measurement looks back on: hundreds of hand-offs and more."
    )
    modules: dict[Name, list[Name]] = Field(
        default_factory=dict,
        description="Units of the whole fleet: by name the agents of each. Without any, the most active agents.",
    )
    max_units: Annotated[int, Field(ge=2, le=6)] = Field(
        default=5, description="Units of a team whose integrated information is computed; others are one more unit."
    )
    surrogates: Annotated[int, Field(ge=19, le=9999)] = Field(
        default=99, description="Shifted copies that a value is compared with."
    )
    resamples: Annotated[int, Field(ge=50, le=9999)] = Field(
        default=200, description="Resamples that an interval is of."
    )
    max_groups: Count = Field(default=20, description="Teams that are measured; the largest first.")
    max_spans: Count = Field(default=200_000, description="Spans of a window; the newest count.")
    timeout: PositiveLength = Field(default=parse_duration("1m"), description="What one measurement may take.")
    job_timeout: PositiveLength = Field(default=parse_duration("1h"), description="What one of 7 or 8 units may take.")
    cpu_share: Annotated[float, Field(gt=0, le=1)] = Field(
        default=0.25, description="How much of one processor the measurements may take on average."
    )

    niceness: Annotated[int, Field(ge=0, le=19)] = Field(
        default=10, description="How far the process that measures stands back; what is asked for over HTTP does not."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if WHOLE_FLEET in self.modules:
            raise ValueError(f"modules: {WHOLE_FLEET!r} is the name of the whole fleet")
        empty = [name for name, agents in self.modules.items() if not agents]
        if empty:
            raise ValueError(f"modules: {empty[0]!r} has no agents")
        owners: dict[str, str] = {}
        for name, agents in self.modules.items():
            for agent in agents:
                if owners.setdefault(agent, name) != name:
                    raise ValueError(f"modules: agent {agent!r} is in {owners[agent]!r} and in {name!r}")
        return self

    def to_settings(self) -> WorkerSettings:
        """What the worker is told."""
        return WorkerSettings(
            interval_s=self.interval.seconds,
            window_s=self.window.seconds,
            how=Measuring(max_units=self.max_units, n_surrogates=self.surrogates, n_resamples=self.resamples),
            modules=dict(self.modules),
            max_groups=self.max_groups,
            max_spans=self.max_spans,
            timeout_s=self.timeout.seconds,
            cpu_share=self.cpu_share,
            niceness=self.niceness,
        )
