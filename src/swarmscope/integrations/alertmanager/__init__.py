"""Forwarding to an Alertmanager. Source: https://prometheus.io/docs/alerting/latest/alerts_api/"""

from swarmscope.integrations.alertmanager.alertmanager_notifier import AlertmanagerNotifier
from swarmscope.integrations.alertmanager.alertmanager_settings import AlertmanagerSettings

__all__ = ["AlertmanagerNotifier", "AlertmanagerSettings"]
