"""Delivery's configuration with its notifiers, read at the start and again when it is asked to."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from swarmscope.alerting import delivery as package
from swarmscope.alerting.delivery.config import DeliveryConfig
from swarmscope.alerting.delivery.config_file import load_config, parse_config
from swarmscope.alerting.delivery.house import Delivery, Integration
from swarmscope.integrations.notification_templates.template_set import load_templates
from swarmscope.integrations.notifiers import make_notifiers
from swarmscope.integrations.slack.query_chart import ChartValues

_DEFAULT = Path(package.__file__).with_name("default_config.yml")


def read_delivery(path: Path | None, charts: ChartValues | None = None) -> tuple[DeliveryConfig, list[Integration]]:
    """A configuration, the program's own where none is named, and its integrations. Raises SwarmscopeError.

    `charts` asks the store for what pictures in notifications show.
    """
    config = parse_config(_DEFAULT.read_text("utf-8"), _DEFAULT.name) if path is None else load_config(path)
    notifiers = make_notifiers(
        config.integrations, load_templates(config.templates, config.folder), chart_values=charts
    )
    return config, [
        Integration(each.receiver, each.index, notifier)
        for each, notifier in zip(config.integrations, notifiers, strict=True)
    ]


def reloading(delivery: Delivery, path: Path | None, charts: ChartValues | None = None) -> Callable[[], None]:
    """Reads the configuration again; raises SwarmscopeError, while the old one goes on."""

    def reload() -> None:
        delivery.reload(*read_delivery(path, charts))

    return reload
