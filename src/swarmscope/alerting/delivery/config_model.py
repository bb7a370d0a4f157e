"""What may stand in a configuration file: Alertmanager's fields, and ours. Unknown ones are refused.

Source: https://prometheus.io/docs/alerting/latest/configuration/
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from swarmscope.model.durations import parse_duration_ms

# Those that we send to, and those that Alertmanager knows beside them: accepted, and told that they do nothing here.
SENT = ("webhook", "pagerduty", "opsgenie", "slack", "email", "alertmanager")
UNSENT = (
    "discord", "incidentio", "jira", "mattermost", "msteams", "msteamsv2", "pushover", "rocketchat", "sns", "telegram",
    "victorops", "webex", "wechat",
)  # fmt: skip
# Alertmanager's own defaults for `send_resolved` that are not true.
SILENT_ON_RESOLVE = frozenset({"email", "slack", "wechat"})


def _to_ms(value: Any) -> Any:
    return parse_duration_ms(value) if isinstance(value, str) else value


Milliseconds = Annotated[int, BeforeValidator(_to_ms)]


def _nothing_is_empty(kind: type[Any]) -> BeforeValidator:
    return BeforeValidator(lambda value: kind() if value is None else value)


Texts = Annotated[list[str], _nothing_is_empty(list)]
TextMap = Annotated[dict[str, str], _nothing_is_empty(dict)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TimeRangeModel(_Strict):
    """`{start_time, end_time}`."""

    start_time: str
    end_time: str


class TimeIntervalModel(_Strict):
    """One of the intervals of a name."""

    times: list[TimeRangeModel] = []
    weekdays: Texts = []
    days_of_month: Texts = []
    months: Texts = []
    years: Texts = []
    location: str = ""


class NamedIntervalsModel(_Strict):
    """Intervals by name."""

    name: str = Field(min_length=1)
    time_intervals: list[TimeIntervalModel] = []


class InhibitRuleModel(_Strict):
    """One rule of inhibition."""

    name: str = ""
    source_matchers: Texts = []
    target_matchers: Texts = []
    source_match: TextMap = {}
    source_match_re: TextMap = {}
    target_match: TextMap = {}
    target_match_re: TextMap = {}
    equal: Texts = []


class RouteModel(_Strict):
    """One route; what is None is inherited."""

    receiver: str | None = None
    group_by: list[str] | None = None
    continue_: bool = Field(default=False, alias="continue")
    matchers: Texts = []
    match: TextMap = {}
    match_re: TextMap = {}
    group_wait: Milliseconds | None = None
    group_interval: Milliseconds | None = None
    repeat_interval: Milliseconds | None = None
    mute_time_intervals: Texts = []
    active_time_intervals: Texts = []
    labels: TextMap = {}
    group_incidents: bool | None = None  # ours: one notification for an incident
    routes: Annotated[list[RouteModel], _nothing_is_empty(list)] = []


class FileModel(_Strict):
    """A configuration file. Integrations check their own settings; here they are any mapping."""

    global_: dict[str, Any] | None = Field(default=None, alias="global")
    templates: Texts = []
    route: RouteModel
    receivers: list[dict[str, Any]] = []
    inhibit_rules: Annotated[list[InhibitRuleModel], _nothing_is_empty(list)] = []
    time_intervals: Annotated[list[NamedIntervalsModel], _nothing_is_empty(list)] = []
    mute_time_intervals: Annotated[list[NamedIntervalsModel], _nothing_is_empty(list)] = []
    tracing: dict[str, Any] | None = None
    event_recorder: dict[str, Any] | None = None
