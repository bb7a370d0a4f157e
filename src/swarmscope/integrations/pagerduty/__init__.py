"""PagerDuty's Events API. Source: https://developer.pagerduty.com/docs/events-api-v2/overview/"""

from swarmscope.integrations.pagerduty.pagerduty_notifier import PagerdutyNotifier
from swarmscope.integrations.pagerduty.pagerduty_settings import PagerdutySettings

__all__ = ["PagerdutyNotifier", "PagerdutySettings"]
