"""Matchers to text that reads back as the same matcher."""

from __future__ import annotations

import re

from swarmscope.model.matchers import Matcher

_BARE_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_ESCAPES = str.maketrans({"\\": "\\\\", '"': '\\"', "\n": "\\n"})


def to_text(matcher: Matcher) -> str:
    """Such as `team=~"a|b"`; a name that holds more than ASCII letters stands in quotes."""
    name = matcher.name if _BARE_NAME.fullmatch(matcher.name) else f'"{matcher.name.translate(_ESCAPES)}"'
    return f'{name}{matcher.operator}"{matcher.value.translate(_ESCAPES)}"'
