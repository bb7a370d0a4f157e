"""The kinds of failure that cross package borders; every protocol maps each kind to one status.

Reading knows four kinds (style rule 11): `QuerySyntaxError`, `UnsupportedQueryError`, `QueryFailedError`
and `LimitExceededError`. Writing adds `MalformedInputError` and `UnavailableError`.
"""

from __future__ import annotations


class SwarmscopeError(Exception):
    """Root of the failures that are reported to a client; `str(error)` is fit for the client to read."""


class QuerySyntaxError(SwarmscopeError):
    """The query text cannot be parsed. `position` is the offset in characters where it broke, if known."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.position = position


class UnsupportedQueryError(SwarmscopeError):
    """The query is valid and names something that this program does not do; the message names it."""


class QueryFailedError(SwarmscopeError):
    """The query is valid and cannot be evaluated on this data (many-to-many matching, a bad regex …)."""


class QueryTimeoutError(QueryFailedError):
    """The query ran longer than its time limit."""


class QueryCancelledError(QueryFailedError):
    """The client went away, or the program is stopping."""


class LimitExceededError(SwarmscopeError):
    """A configured limit was hit.

    `limit` is the setting's name (`limits.max_active_series`), `retry_after_s` how long a sender should wait,
    or None where sending the same again cannot help. `too_large` says that the request's size is at fault.
    """

    def __init__(
        self, message: str, *, limit: str, retry_after_s: float | None = None, too_large: bool = False
    ) -> None:
        super().__init__(message)
        self.limit = limit
        self.retry_after_s = retry_after_s
        self.too_large = too_large


class MalformedInputError(SwarmscopeError):
    """Bytes that are not what their protocol says. The message names what is wrong and where."""


class UnavailableError(SwarmscopeError):
    """The store cannot take or give data now (starting, stopping, disk full); sending again later may help."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s
