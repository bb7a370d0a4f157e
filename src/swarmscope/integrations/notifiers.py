"""Notifiers made of a configuration file's receivers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import NamedTuple

from swarmscope.integrations.alertmanager import AlertmanagerNotifier, AlertmanagerSettings
from swarmscope.integrations.email import EmailNotifier, EmailSettings
from swarmscope.integrations.integration_settings import BadSettingsError, Settings, Surroundings, read_settings
from swarmscope.integrations.notification_templates import TemplateSet
from swarmscope.integrations.opsgenie import OpsgenieNotifier, OpsgenieSettings
from swarmscope.integrations.pagerduty import PagerdutyNotifier, PagerdutySettings
from swarmscope.integrations.slack import SlackNotifier, SlackSettings
from swarmscope.integrations.slack.query_chart import ChartValues
from swarmscope.integrations.webhook import WebhookNotifier, WebhookSettings
from swarmscope.model.alerts import IntegrationConfig
from swarmscope.model.contracts import Notifier


class _Kind(NamedTuple):
    settings: type[Settings]
    notifier: Callable[..., Notifier]


_KINDS: Mapping[str, _Kind] = {
    "webhook": _Kind(WebhookSettings, WebhookNotifier),
    "pagerduty": _Kind(PagerdutySettings, PagerdutyNotifier),
    "opsgenie": _Kind(OpsgenieSettings, OpsgenieNotifier),
    "slack": _Kind(SlackSettings, SlackNotifier),
    "email": _Kind(EmailSettings, EmailNotifier),
    "alertmanager": _Kind(AlertmanagerSettings, AlertmanagerNotifier),
}
KINDS = frozenset(_KINDS)


def make_notifiers(
    configs: Sequence[IntegrationConfig],
    templates: TemplateSet | None = None,
    environment: Mapping[str, str] | None = None,
    chart_values: ChartValues | None = None,
) -> list[Notifier]:
    """A notifier for each, in order.

    `templates` are those of `load_templates`, the default ones where None; `environment` is the process's where None;
    `chart_values` asks the store for what Slack's charts show, which are left out without it.

    Raises BadSettingsError with the place where settings are wrong, or a kind is none of `KINDS`; of several, all are
    named, one a line.
    """
    made: list[Notifier] = []
    problems: list[str] = []
    for config in configs:
        kind = _KINDS.get(config.kind)
        if kind is None:
            known = ", ".join(sorted(f"{name}_configs" for name in KINDS))
            problems.append(f"{config.place}: {config.kind}_configs is not supported (supported: {known})")
            continue
        try:
            settings = read_settings(config, kind.settings)
        except BadSettingsError as error:
            problems.append(str(error))
            continue
        notifier = partial(kind.notifier, chart_values=chart_values) if config.kind == "slack" else kind.notifier
        around = Surroundings(templates, config.folder, environment)
        made.append(notifier(settings, around, sends_resolved=config.sends_resolved))
    if problems:
        raise BadSettingsError("\n".join(problems))
    return made
