r"""Series in the syntax of the exposition formats and PromQL: `name{a="b"}`, with quotes where a name needs them."""

from __future__ import annotations

import re
from collections.abc import Mapping

_CLASSIC_METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
_CLASSIC_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def escape(text: str) -> str:
    r"""Write `\`, newline and `"` as the exposition formats do."""
    return text.translate(_ESCAPES)


def quote(text: str) -> str:
    """`text` in quotes, escaped."""
    return f'"{escape(text)}"'


def metric_text(name: str) -> str:
    """A metric's name as it stands behind `# TYPE`."""
    return name if _CLASSIC_METRIC.fullmatch(name) else quote(name)


def series_text(metric: str, labels: Mapping[str, str], separator: str = ",") -> str:
    """A series with its labels sorted by name; `metric` may be empty, and `labels` do not hold it."""
    pairs = [
        f"{name if _CLASSIC_LABEL.fullmatch(name) else quote(name)}={quote(value)}"
        for name, value in sorted(labels.items())
    ]
    if _CLASSIC_METRIC.fullmatch(metric):
        return f"{metric}{{{separator.join(pairs)}}}" if pairs else metric
    return "{" + separator.join([quote(metric), *pairs] if metric else pairs) + "}"
