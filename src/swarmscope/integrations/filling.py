"""Texts of the settings, filled in with one notification."""

from __future__ import annotations

from swarmscope.integrations.notification_templates import TemplateSet, template_data
from swarmscope.model.alerts import FailureKind, Notification, NotifyFailedError
from swarmscope.model.errors import SwarmscopeError


class Filling:
    """A notification and the templates to tell of it. A failed template fails the notification: others may not."""

    def __init__(self, notification: Notification, templates: TemplateSet) -> None:
        self.notification = notification
        self.data = template_data(notification)
        self._templates = templates

    def text(self, text: str) -> str:
        """The text. Raises NotifyFailedError."""
        try:
            return self._templates.text(text, self.data, self.notification.now_ns)
        except SwarmscopeError as error:
            raise _failed(error) from None

    def html(self, text: str) -> str:
        """As HTML: what comes from the data is escaped. Raises NotifyFailedError."""
        try:
            return self._templates.html(text, self.data, self.notification.now_ns)
        except SwarmscopeError as error:
            raise _failed(error) from None


def _failed(error: SwarmscopeError) -> NotifyFailedError:
    return NotifyFailedError(f"template: {error}", retryable=False, kind=FailureKind.CLIENT)


def shortened(text: str, max_characters: int) -> str:
    """At most so many characters, the last one an ellipsis where some were cut."""
    return text if len(text) <= max_characters else text[: max_characters - 1] + "…"
