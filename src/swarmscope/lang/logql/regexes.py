"""Go's regexes, which are RE2's."""

from __future__ import annotations

from functools import lru_cache

import re2  # type: ignore[import-untyped]

_QUIET = re2.Options()
_QUIET.log_errors = False


@lru_cache(maxsize=256)
def compile_regex(regex: str) -> re2._Regexp[str]:
    """A compiled regex. Raises ValueError with what is wrong."""
    try:
        return re2.compile(regex, _QUIET)
    except re2.error as error:
        detail = error.args[0] if error.args else ""
        text = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
        raise ValueError(f"error parsing regexp: {text}") from None
