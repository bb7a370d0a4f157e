"""The one table from kinds of failure to HTTP statuses, and the error envelope of the Prometheus API."""

from __future__ import annotations

import logging
from typing import Final

from swarmscope.model.errors import (
    LimitExceededError,
    MalformedInputError,
    QueryCancelledError,
    QueryFailedError,
    QuerySyntaxError,
    QueryTimeoutError,
    SwarmscopeError,
    UnavailableError,
    UnsupportedQueryError,
)

_log = logging.getLogger(__name__)

# Prometheus' error types and their statuses. 499 (client closed the connection) is seen only in logs.
STATUS_OF_KIND: Final = {
    "bad_data": 400,
    "execution": 422,
    "canceled": 499,
    "timeout": 503,
    "unavailable": 503,
    "internal": 500,
}

# The first class that fits decides.
_KIND_OF_ERROR: Final[tuple[tuple[type[SwarmscopeError], str], ...]] = (
    (QuerySyntaxError, "bad_data"),
    (MalformedInputError, "bad_data"),
    (QueryTimeoutError, "timeout"),
    (QueryCancelledError, "canceled"),
    (QueryFailedError, "execution"),
    (UnsupportedQueryError, "execution"),
    (LimitExceededError, "execution"),
    (UnavailableError, "unavailable"),
)


class ApiError(Exception):
    """A request that is answered with an error. `status` overrides the kind's own status."""

    def __init__(self, kind: str, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.status = STATUS_OF_KIND[kind] if status is None else status


def to_api_error(error: Exception) -> ApiError:
    """The answer for any failure; what is none of ours is internal and says no more than its class."""
    if isinstance(error, ApiError):
        return error
    for known, kind in _KIND_OF_ERROR:
        if isinstance(error, known):
            return ApiError(kind, _told(error))
    return ApiError("internal", f"internal error: {type(error).__name__}")


def _told(error: SwarmscopeError) -> str:
    """The error's text, and the setting where its limit was hit: it is what the reader may want to change."""
    text = str(error)
    if isinstance(error, LimitExceededError) and "." in error.limit and error.limit not in text:
        return f"{text} ({error.limit})"
    return text


def note_failure(error: Exception, endpoint: str) -> ApiError:
    """The answer for a failure that is being handled; a fault of ours also goes to the log, with its traceback."""
    if not isinstance(error, ApiError | SwarmscopeError):
        _log.exception("request to %s failed", endpoint)
    return to_api_error(error)
