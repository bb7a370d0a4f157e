"""Texts of the settings, filled in with one notification."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from swarmscope.integrations.notification_templates import TemplateSet, template_data
from swarmscope.lang.templates import Record, TemplateTooLargeError
from swarmscope.model.alerts import FailureKind, Notification, NotifyFailedError
from swarmscope.model.errors import SwarmscopeError

# What a text tells at most where telling all would be too much: a storm of alerts must still be told of.
_FEW_ALERTS, _SHORT_VALUE = 50, 500


class Filling:
    """A notification and the templates to tell of it. A failed template fails the notification: others may not."""

    def __init__(self, notification: Notification, templates: TemplateSet) -> None:
        self.notification = notification
        self.data = template_data(notification)
        self._templates = templates

    def text(self, text: str) -> str:
        """The text. Raises NotifyFailedError."""
        return self._filled(self._templates.text, text)

    def html(self, text: str) -> str:
        """As HTML: what comes from the data is escaped. Raises NotifyFailedError."""
        return self._filled(self._templates.html, text)

    def _filled(self, fill: Callable[[str, Record, int], str], text: str) -> str:
        now_ns = self.notification.now_ns
        try:
            try:
                return fill(text, self.data, now_ns)
            except TemplateTooLargeError:
                return fill(text, template_data(_reduced(self.notification)), now_ns)
        except SwarmscopeError as error:
            raise NotifyFailedError(f"template: {error}", retryable=False, kind=FailureKind.CLIENT) from None


def _reduced(notification: Notification) -> Notification:
    """The first alerts of it, their values cut."""
    few = tuple(
        replace(alert, labels=_cut(alert.labels), annotations=_cut(alert.annotations))
        for alert in notification.alerts[:_FEW_ALERTS]
    )
    return replace(notification, alerts=few)


def _cut(values: Mapping[str, str]) -> dict[str, str]:
    return {name: shortened(value, _SHORT_VALUE) for name, value in values.items()}


def shortened(text: str, max_characters: int) -> str:
    """At most so many characters, the last one an ellipsis where some were cut."""
    return text if len(text) <= max_characters else text[: max_characters - 1] + "…"
