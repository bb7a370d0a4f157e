"""How the fleet of agents is watched."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, ByteSize, Field

from swarmscope.app.durations import Duration
from swarmscope.app.settings.fields import Count, FilePath, PositiveLength, Section, Size
from swarmscope.fleet.settings import FleetSettings
from swarmscope.ingest.genai.price_files import PriceFileError, load_price_file

_MS_PER_S = 1000


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
