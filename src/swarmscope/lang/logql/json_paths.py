"""Expressions of the `json` parser: `my.list[0]["field"]`.

https://grafana.com/docs/loki/latest/query/log_queries/#json
"""

from __future__ import annotations

import re

_STEP = re.compile(
    r"""(?P<dot>\.)?(?P<field>[^\W\d][\w@-]*|@[\w@-]+)
      | \[\s*(?P<index>[0-9]+)\s*\]
      | \[\s*(?P<key>"(?:[^"\\]|\\.)*")\s*\]""",
    re.VERBOSE,
)


def parse_json_path(text: str) -> tuple[str | int, ...]:
    """Field names and positions in arrays, outermost first. Raises ValueError where the expression is malformed."""
    steps: list[str | int] = []
    end = 0
    text = text.strip()
    while end < len(text):
        match = _STEP.match(text, end)
        if match is None or (match["field"] is not None and bool(match["dot"]) != bool(steps)):
            raise ValueError(f"cannot parse expression [{text}] at {end}")
        if match["field"] is not None:
            steps.append(match["field"])
        elif match["index"] is not None:
            steps.append(int(match["index"]))
        else:
            steps.append(re.sub(r"\\(.)", r"\1", match["key"][1:-1]))
        end = match.end()
    if not steps:
        raise ValueError("empty expression")
    return tuple(steps)
