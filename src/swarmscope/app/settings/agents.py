"""How the fleet of agents is watched."""

from __future__ import annotations

import math
from dataclasses import fields
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, StringConstraints

from swarmscope.analysis.agents.budgets import Budget
from swarmscope.analysis.agents.pathologies.settings import DetectionSettings
from swarmscope.analysis.agents.status import StatusSettings
from swarmscope.app.durations import Duration, parse_duration
from swarmscope.app.settings.fields import Count, FilePath, PositiveLength, Section, Size
from swarmscope.fleet.judgement import Rules
from swarmscope.fleet.settings import FleetSettings
from swarmscope.ingest.genai.price_files import PriceFileError, load_price_file

_MS_PER_S, _NS_PER_MS, _NS_PER_S = 1000, 1_000_000, 1_000_000_000


def _check_prices(path: FilePath) -> FilePath:
    try:
        load_price_file(path)
    except PriceFileError as error:
        raise ValueError(str(error)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"cannot be read: {error}") from None
    return path


def _length(seconds: float) -> Duration:
    return Duration(round(seconds * _MS_PER_S))


PriceFile = Annotated[FilePath, AfterValidator(_check_prices)]
_ALL = FleetSettings()


class WatchSection(Section):
    """How much memory the watch over the fleet takes, and how often it does what it does."""

    patience: PositiveLength = Field(
        default=_length(_ALL.patience_s), description="How long a span waits for its ancestors to name its agent."
    )
    max_known_spans: Count = Field(
        default=_ALL.max_known_spans,
        description="Spans of one tenant whose place in their trace is remembered; a quarter of them may wait.",
    )
    max_queued_spans: Count = Field(
        default=_ALL.max_queued_spans, description="Spans of all tenants that wait to be looked at; more are not."
    )
    max_queued_bytes: Size = Field(default=ByteSize(_ALL.max_queued_bytes), description="What they take.")
    recent: PositiveLength = Field(
        default=_length(_ALL.recent_s), description="How far back what goes wrong between agents is looked for."
    )
    max_recent_spans: Count = Field(
        default=_ALL.max_recent_spans, description="Spans of one tenant that are kept for it."
    )
    max_agents: Count = Field(default=_ALL.max_agents, description="Agents of one tenant in the registry.")
    max_series: Count = Field(default=_ALL.max_series, description="Series of one tenant of each metric `agi_…`.")
    max_conversation_series: Count = Field(
        default=_ALL.max_conversation_series, description="Conversations of one tenant that have series: the dearest."
    )
    max_unwritten_spans: Count = Field(
        default=_ALL.max_unwritten_spans, description="Spans of one tenant that are kept while the store takes nothing."
    )
    max_tenants: Count = Field(default=_ALL.max_tenants, description="Fleets of further tenants are not watched.")
    write_interval: PositiveLength = Field(
        default=_length(_ALL.write_interval_s), description="Time between two writes of what was found."
    )
    series_interval: PositiveLength = Field(
        default=_length(_ALL.series_interval_s), description="Time between two samples of a series `agi_…`."
    )
    detect_interval: PositiveLength = Field(
        default=_length(_ALL.detect_interval_s), description="Time between two looks for what goes wrong."
    )
    signals_interval: PositiveLength = Field(
        default=_length(_ALL.signals_interval_s), description="Time between two looks for agents in metrics and logs."
    )
    idle: PositiveLength = Field(
        default=_length(_ALL.idle_series_s), description="A counter that nothing was added to for so long ends."
    )
    forget_after: PositiveLength = Field(
        default=_length(_ALL.forget_after_s),
        description="An agent that no signal has shown for so long has no series any more.",
    )


def _check_thresholds(given: dict[str, Any]) -> dict[str, float]:
    read: dict[str, float] = {}
    for name, value in given.items():
        if name not in THRESHOLDS:
            raise ValueError(f"{name} is none; known are {', '.join(THRESHOLDS)}")
        if isinstance(value, str):
            value = parse_duration(value).seconds
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
            raise ValueError(f"{name} must be a number above 0, or a duration such as 30s")
        read[name] = value
    return read


# Names as the settings have them; times are given as durations or in seconds.
THRESHOLDS = {each.name.removesuffix("_ns"): each for each in fields(DetectionSettings)}
Thresholds = Annotated[dict[str, float], BeforeValidator(_check_thresholds)]


class BudgetSection(Section):
    """What may be spent."""

    name: Annotated[str, StringConstraints(min_length=1)] = Field(
        description="How it is called in series and findings."
    )
    limit: Annotated[float, Field(gt=0)] = Field(description="How much may be used in each period.")
    unit: Literal["usd", "tokens"] = Field(default="usd", description="Of what.")
    per: Literal["agent", "team", "conversation", "day"] = Field(
        default="day", description="Each agent, team or conversation has its own; `day`: the whole fleet together."
    )
    of: str = Field(default="", description="The one agent, team or conversation that it is for; empty: each.")
    period: PositiveLength = Field(default=parse_duration("1d"), description="Days begin at midnight UTC.")

    def to_budget(self) -> Budget:
        """What is judged."""
        return Budget(self.name, self.limit, self.unit, self.per, self.of, self.period.ms * _NS_PER_MS)


class StatusSection(Section):
    """From where on an agent is in a state."""

    active: PositiveLength = Field(default=_length(60), description="Active for so long after a sign of life.")
    offline: PositiveLength = Field(default=_length(600), description="Offline after so long without one.")
    stalled: PositiveLength = Field(
        default=_length(300), description="Stalled: spans are open and none ended for so long."
    )

    def to_settings(self) -> StatusSettings:
        """What the judge is told."""
        return StatusSettings(
            active_ns=self.active.ms * _NS_PER_MS,
            offline_ns=self.offline.ms * _NS_PER_MS,
            stalled_ns=self.stalled.ms * _NS_PER_MS,
        )


class AgentsSection(Section):
    """What is known of agents; see [agents](agents.md)."""

    enabled: bool = Field(
        default=True, description="Read out of spans what they say of agents, and watch over the fleet."
    )
    labels: list[str] = Field(
        default_factory=lambda: list(_ALL.agent_labels),
        description="Labels of metrics and logs that hold names of agents.",
    )
    prices: PriceFile | None = Field(
        default=None, description="YAML file of prices that go before those of the table that comes with the program."
    )
    watch: WatchSection = WatchSection()
    status: StatusSection = StatusSection()
    thresholds: Thresholds = Field(
        default_factory=dict,
        description="Thresholds of what counts as wrong that are not the usual ones: name → number or duration.",
    )
    budgets: list[BudgetSection] = Field(default_factory=list, description="Budgets of money or tokens.")

    def to_rules(self) -> Rules:
        """What counts as wrong, and what may be spent."""
        chosen: dict[str, Any] = {}
        for name, value in self.thresholds.items():
            field = THRESHOLDS[name]
            if field.name.endswith("_ns"):
                chosen[field.name] = round(value * _NS_PER_S)
            else:
                chosen[field.name] = int(value) if field.type == "int" else float(value)
        return Rules(
            detection=DetectionSettings(**chosen),
            status=self.status.to_settings(),
            budgets=tuple(budget.to_budget() for budget in self.budgets),
        )

    def to_settings(self) -> FleetSettings:
        """What the watch is told."""
        watch = self.watch
        return FleetSettings(
            patience_s=watch.patience.seconds,
            max_known_spans=watch.max_known_spans,
            max_queued_spans=watch.max_queued_spans,
            max_queued_bytes=int(watch.max_queued_bytes),
            recent_s=watch.recent.seconds,
            max_recent_spans=watch.max_recent_spans,
            max_agents=watch.max_agents,
            max_series=watch.max_series,
            max_conversation_series=watch.max_conversation_series,
            max_unwritten_spans=watch.max_unwritten_spans,
            max_tenants=watch.max_tenants,
            write_interval_s=watch.write_interval.seconds,
            series_interval_s=watch.series_interval.seconds,
            detect_interval_s=watch.detect_interval.seconds,
            signals_interval_s=watch.signals_interval.seconds,
            idle_series_s=watch.idle.seconds,
            forget_after_s=watch.forget_after.seconds,
            agent_labels=tuple(self.labels),
        )
