"""The `agent_config` document of existing deployments, and the environment variables beside it.

The document is accepted as it stands and translated to our own settings. Checked strictly: an unknown key or a bad
value is reported with its path in the document.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from swarmscope.app.durations import Duration
from swarmscope.app.settings.fields import Count, Retention, Section
from swarmscope.app.settings.sections import Identifier, RetrySettings

# Variable → path of the setting.
FOREIGN_VARIABLES = {
    "AGENT_TYPE": ("agent", "type"),
    "LOG_LEVEL": ("log", "level"),
    "API_ENDPOINT": ("peers", "api_endpoint"),
    "PROMETHEUS_URL": ("peers", "prometheus_url"),
    "GRAFANA_URL": ("peers", "grafana_url"),
    "JAEGER_URL": ("peers", "jaeger_url"),
    "LOKI_URL": ("peers", "loki_url"),
}
WholeSeconds = Annotated[int, Field(ge=0)]


class ObservabilityConfig(Section):
    """`agent_config.observability_config`."""

    metrics_retention: Retention | None = None
    log_retention: Retention | None = None
    trace_retention: Retention | None = None
    sampling_rate: Annotated[float, Field(ge=0, le=1)] | None = None
    anomaly_sensitivity: Literal["low", "medium", "high"] | None = None
    alert_cooldown: WholeSeconds | None = None


class AgentConfig(Section):
    """`agent_config`."""

    capabilities: list[Identifier] | None = None
    priority: Literal["low", "medium", "normal", "high", "critical"] | None = None
    max_concurrent_tasks: Count | None = None
    timeout: Annotated[int, Field(ge=1)] | None = None
    retry_policy: RetrySettings | None = None
    observability_config: ObservabilityConfig | None = None


class AgentDocument(Section):
    """The document's outermost level."""

    agent_config: AgentConfig


# Path in the document → path of the setting.
_TRANSLATION = {
    ("capabilities",): ("agent", "capabilities"),
    ("priority",): ("agent", "priority"),
    ("max_concurrent_tasks",): ("limits", "max_concurrent_queries"),
    ("timeout",): ("agent", "task_timeout"),
    ("retry_policy",): ("agent", "retry"),
    ("observability_config", "metrics_retention"): ("retention", "metrics"),
    ("observability_config", "log_retention"): ("retention", "logs"),
    ("observability_config", "trace_retention"): ("retention", "traces"),
    ("observability_config", "sampling_rate"): ("traces", "sampling_rate"),
    ("observability_config", "anomaly_sensitivity"): ("anomalies", "sensitivity"),
    ("observability_config", "alert_cooldown"): ("alerts", "cooldown"),
}
_IN_SECONDS = {("timeout",), ("observability_config", "alert_cooldown")}


def translated_paths() -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Paths in the document (with its outermost key) and the settings that they set."""
    return [(("agent_config", *source), target) for source, target in _TRANSLATION.items()]


def to_settings_layer(document: AgentDocument) -> dict[str, Any]:
    """What the document sets, as nested settings; keys that it leaves out are left out."""
    layer: dict[str, Any] = {}
    for source, target in _TRANSLATION.items():
        value: Any = document.agent_config
        for key in source:
            value = getattr(value, key, None)
        if value is None:
            continue
        if source in _IN_SECONDS:
            value = Duration(value * 1000)
        elif isinstance(value, BaseModel):
            value = value.model_dump(exclude_unset=True)
        layer.setdefault(target[0], {})[target[1]] = value
    return layer


def from_foreign_variables(environ: Mapping[str, str]) -> dict[str, Any]:
    """The settings that the deployments' own environment variables carry. An empty variable sets nothing."""
    layer: dict[str, Any] = {}
    for variable, (section, key) in FOREIGN_VARIABLES.items():
        value = environ.get(variable)
        if value:
            layer.setdefault(section, {})[key] = value.lower() if variable == "LOG_LEVEL" else value
    return layer
