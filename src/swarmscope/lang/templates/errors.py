"""How templates fail."""

from __future__ import annotations

from swarmscope.model.errors import QueryFailedError


class TemplateFailedError(QueryFailedError):
    """A template that parses failed on this data: a wrong type, a missing field, a bound that was hit."""


class TemplateTooLargeError(TemplateFailedError):
    """It would print more, or run longer, than is allowed."""
