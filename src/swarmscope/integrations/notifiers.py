"""Notifiers made of a configuration file's receivers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from swarmscope.integrations.integration_settings import BadSettingsError, Surroundings, read_settings
from swarmscope.integrations.notification_templates import TemplateSet
from swarmscope.integrations.webhook import WebhookNotifier, WebhookSettings
from swarmscope.model.alerts import IntegrationConfig
from swarmscope.model.contracts import Notifier

Maker = Callable[[IntegrationConfig, Surroundings], Notifier]


def _webhook(config: IntegrationConfig, around: Surroundings) -> Notifier:
    return WebhookNotifier(read_settings(config, WebhookSettings), around, sends_resolved=config.sends_resolved)


_MAKERS: Mapping[str, Maker] = {
    "webhook": _webhook,
}
KINDS = frozenset(_MAKERS)


def make_notifiers(
    configs: Sequence[IntegrationConfig],
    templates: TemplateSet | None = None,
    environment: Mapping[str, str] | None = None,
) -> list[Notifier]:
    """A notifier for each, in order. `templates` are those of `load_templates`, the default ones where None.

    Raises BadSettingsError with the place where settings are wrong, or a kind is none of `KINDS`; of several, all are
    named.
    """
    made: list[Notifier] = []
    problems: list[str] = []
    for config in configs:
        maker = _MAKERS.get(config.kind)
        if maker is None:
            problems.append(f"{config.place}: {config.kind}_configs is not supported (supported: {_known()})")
            continue
        try:
            made.append(maker(config, Surroundings(templates, config.folder, environment)))
        except BadSettingsError as error:
            problems.append(str(error))
    if problems:
        raise BadSettingsError("\n".join(problems))
    return made


def _known() -> str:
    return ", ".join(sorted(f"{kind}_configs" for kind in KINDS))
