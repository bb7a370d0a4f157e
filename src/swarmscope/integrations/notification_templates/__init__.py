"""Alertmanager's notification templates: its data, its functions, and default templates under its names.

Source: https://prometheus.io/docs/alerting/latest/notifications/
"""

from swarmscope.integrations.notification_templates.template_data import group_key_hash, template_data
from swarmscope.integrations.notification_templates.template_set import (
    BadTemplateError,
    TemplateSet,
    default_templates,
    load_templates,
)

__all__ = [
    "BadTemplateError",
    "TemplateSet",
    "default_templates",
    "group_key_hash",
    "load_templates",
    "template_data",
]
