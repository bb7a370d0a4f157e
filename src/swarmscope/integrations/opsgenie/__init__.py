"""Opsgenie's alert API. Source: https://docs.opsgenie.com/docs/alert-api"""

from swarmscope.integrations.opsgenie.opsgenie_notifier import OpsgenieNotifier
from swarmscope.integrations.opsgenie.opsgenie_settings import OpsgenieSettings

__all__ = ["OpsgenieNotifier", "OpsgenieSettings"]
