"""Webhooks with Alertmanager's body. Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config"""

from swarmscope.integrations.webhook.webhook_notifier import WebhookNotifier
from swarmscope.integrations.webhook.webhook_settings import WebhookSettings

__all__ = ["WebhookNotifier", "WebhookSettings"]
