"""Slack: incoming webhooks and bot tokens. Source: https://docs.slack.dev/messaging/"""

from swarmscope.integrations.slack.slack_notifier import SlackNotifier
from swarmscope.integrations.slack.slack_settings import SlackSettings

__all__ = ["SlackNotifier", "SlackSettings"]
