"""E-mail over SMTP. Source: https://prometheus.io/docs/alerting/latest/configuration/#email_config"""

from swarmscope.integrations.email.email_notifier import EmailNotifier
from swarmscope.integrations.email.email_settings import EmailSettings

__all__ = ["EmailNotifier", "EmailSettings"]
