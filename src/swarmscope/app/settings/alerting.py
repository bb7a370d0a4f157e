"""Rules, who is told of their alerts, and what is done about them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from swarmscope.alerting.rules.settings import EvaluationSettings, SchedulerSettings
from swarmscope.app.durations import Duration, parse_duration
from swarmscope.app.settings.fields import Count, FilePath, Length, PositiveLength, Section
from swarmscope.model.labels import DEFAULT_TENANT

_MS_PER_S = 1000
_ALL, _EACH = SchedulerSettings(), EvaluationSettings(DEFAULT_TENANT)


class AlertSettings(Section):
    """Alerting; see [alerting](alerting.md) and [rules](rules.md)."""

    rules: list[str] = Field(
        default_factory=list, description="Files, folders and patterns of rule files, in Prometheus' format."
    )
    packs: list[Literal["agi", "fleet", "self"]] = Field(
        default=["agi", "fleet", "self"], description="Rules that ship with the program."
    )
    alertmanager_config: FilePath | None = Field(
        default=None, description="Whom to tell of what: a configuration file as Alertmanager has it."
    )
    runbooks: FilePath | None = Field(default=None, description="Folder of runbooks; see [runbooks](runbooks.md).")
    runbook_programs: list[FilePath] = Field(
        default_factory=list, description="Programs that runbooks may run, by absolute path; none if empty."
    )
    cooldown: Length = Field(
        default=Duration(_EACH.cooldown_ms),
        description="Time from the beginning of an alert before which it does not begin again; a rule can say its own.",
    )
    max_retries: Count = Field(
        default=3, description="Attempts to tell a receiver that answers with an error which looks permanent."
    )
    external_url: str = Field(default="", description="Where people reach the program: the root of links in alerts.")
    external_labels: dict[str, str] = Field(default_factory=dict, description="Labels that every alert gets.")
    tenant: str = Field(default=DEFAULT_TENANT, description="Whose data rules read and write.")
    interval: PositiveLength = Field(
        default=Duration(_ALL.interval_ms), description="Time between evaluations, of groups that do not say theirs."
    )
    query_offset: Length = Field(
        default=Duration(0), description="How far back rules look, of groups that do not say theirs."
    )
    event_spacing: PositiveLength = Field(
        default=Duration(round(_ALL.spacing_s * _MS_PER_S)),
        description="Least time between two evaluations because something has come in.",
    )
    timeout: PositiveLength = Field(
        default=parse_duration(f"{round(_EACH.timeout_s)}s"), description="Time limit of a rule's query."
    )
    max_results: Count = Field(
        default=_EACH.max_results, description="Results of one rule; more are an error of that rule."
    )

    def to_scheduler(self) -> SchedulerSettings:
        """When rules are evaluated."""
        return SchedulerSettings(
            interval_ms=self.interval.ms, query_offset_ms=self.query_offset.ms, spacing_s=self.event_spacing.seconds
        )

    def to_evaluation(self, external_url: str) -> EvaluationSettings:
        """How; the URL is used where the settings have none."""
        return EvaluationSettings(
            tenant=self.tenant,
            external_url=(self.external_url or external_url).rstrip("/"),
            external_labels=self.external_labels,
            cooldown_ms=self.cooldown.ms,
            timeout_s=self.timeout.seconds,
            max_results=self.max_results,
        )
