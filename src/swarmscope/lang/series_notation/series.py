"""Series lines of test scripts: `metric{label="value"} 1 2+3x2 _ stale {{schema:0 count:1}}x3`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from swarmscope.lang.series_notation.values import ScriptHistogram, Value, parse_histogram
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.staleness import STALE_NAN

_NUMBER = r"(?:(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[iI]nf|[nN]a[nN])"
_ITEM = re.compile(rf"([+-]?{_NUMBER})(?:([+-]{_NUMBER})?x(\d+))?$")
_GAP = re.compile(r"_(?:x(\d+))?$")
_STALE = re.compile(r"stale(?:x(\d+))?$")
_HISTOGRAM = re.compile(r"(\{\{.*?\}\})(?:(?:([+-])(\{\{.*?\}\}))?x(\d+))?$")
_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}

_MAX_POINTS = 1_000_000  # a script that expands to more is a slip of the pen


@dataclass(frozen=True, slots=True)
class ScriptSeries:
    """Labels of one line and its points by position; None is a gap."""

    labels: tuple[tuple[str, str], ...]
    values: tuple[Value | None, ...]

    @property
    def label_map(self) -> dict[str, str]:
        """The labels as a mapping, `__name__` included."""
        return dict(self.labels)


def parse_series(line: str) -> ScriptSeries:
    """A whole line. Raises ValueError where it is malformed."""
    labels, rest = parse_metric(line.strip())
    return ScriptSeries(labels, parse_values(rest))


def parse_metric(text: str) -> tuple[tuple[tuple[str, str], ...], str]:
    """The labels at the beginning of `text`, sorted by name, and what follows them."""
    labels: dict[str, str] = {}
    name = _NAME.match(text)
    at = 0
    if name is not None:
        labels[METRIC_NAME] = name.group()
        at = name.end()
    if at < len(text) and text[at] == "{" and not text.startswith("{{", at):
        at = _parse_labels(text, at + 1, labels)
    elif name is None:
        raise ValueError(f"a series begins with a metric name or '{{': {text!r}")
    if at < len(text) and not text[at].isspace():
        raise ValueError(f"malformed series near {text[at:]!r}")
    return tuple(sorted((key, value) for key, value in labels.items() if value)), text[at:]


def _skip_space(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


def _parse_labels(text: str, at: int, labels: dict[str, str]) -> int:
    """Read `name="value", …}` and return the position behind the brace."""
    while True:
        at = _skip_space(text, at)
        if at >= len(text):
            raise ValueError("a label set has no end")
        if text[at] == "}":
            return at + 1
        quoted = text[at] in "\"'`"
        if quoted:
            name, at = _parse_string(text, at)
        else:
            match = _LABEL_NAME.match(text, at)
            if match is None:
                raise ValueError(f"malformed label near {text[at:]!r}")
            name, at = match.group(), match.end()
        at = _skip_space(text, at)
        if at < len(text) and text[at] == "=":
            value, at = _parse_string(text, _skip_space(text, at + 1))
        elif quoted:
            name, value = METRIC_NAME, name  # a lone string is the metric's name
        else:
            raise ValueError(f"label {name} has no value")
        if name in labels:
            raise ValueError(f"label {name} stands twice")
        labels[name] = value
        at = _skip_space(text, at)
        if at < len(text) and text[at] == ",":
            at += 1
        elif at >= len(text) or text[at] != "}":
            raise ValueError(f"malformed label set near {text[at:]!r}")


def _parse_string(text: str, at: int) -> tuple[str, int]:
    """A quoted string at `at`, and the position behind it."""
    if at >= len(text) or text[at] not in "\"'`":
        raise ValueError(f"a quoted string is missing near {text[at:]!r}")
    quote = text[at]
    out: list[str] = []
    at += 1
    while at < len(text):
        if text[at] == quote:
            return "".join(out), at + 1
        if text[at] == "\\" and quote != "`":
            at = _parse_escape(text, at + 1, out)
        else:
            out.append(text[at])
            at += 1
    raise ValueError("a quoted string has no end")


def _parse_escape(text: str, at: int, out: list[str]) -> int:
    digits = {"x": 2, "u": 4, "U": 8}.get(text[at : at + 1])
    if digits is not None:
        out.append(chr(int(text[at + 1 : at + 1 + digits], 16)))
        return at + 1 + digits
    if text[at : at + 1] not in _ESCAPES:
        raise ValueError(f"unknown escape near {text[at:]!r}")
    out.append(_ESCAPES[text[at]])
    return at + 1


def unquote(text: str) -> str:
    """A whole quoted string. Raises ValueError where it is none or where something follows."""
    value, end = _parse_string(text, 0)
    if end != len(text):
        raise ValueError(f"something follows the string: {text[end:]!r}")
    return value


def parse_values(text: str) -> tuple[Value | None, ...]:
    """Points in expanding notation."""
    out: list[Value | None] = []
    for item in _items(text):
        out.extend(_expand(item))
        if len(out) > _MAX_POINTS:
            raise ValueError("a series expands to too many points")
    return tuple(out)


def _items(text: str) -> list[str]:
    """Split at white space outside of histogram braces."""
    items, begin, depth = [], None, 0
    for at, letter in enumerate(text):
        if letter.isspace() and depth == 0:
            if begin is not None:
                items.append(text[begin:at])
                begin = None
            continue
        begin = at if begin is None else begin
        depth += (letter == "{") - (letter == "}")
    if depth:
        raise ValueError("a histogram has no end")
    if begin is not None:
        items.append(text[begin:])
    return items


def _expand(item: str) -> list[Value | None]:
    if match := _GAP.match(item):
        return [None] * int(match.group(1) or 1)
    if match := _STALE.match(item):
        return [float(STALE_NAN)] * (int(match.group(1)) + 1 if match.group(1) else 1)
    if match := _HISTOGRAM.match(item):
        return list(_expand_histogram(match))
    match = _ITEM.match(item)
    if match is None:
        raise ValueError(f"malformed value {item!r}")
    value, step = float(match.group(1)), float(match.group(2) or 0)
    out: list[Value | None] = [value]
    for _ in range(min(int(match.group(3) or 0), _MAX_POINTS)):
        value += step if match.group(2) else 0.0
        out.append(value)
    return out


def _expand_histogram(match: re.Match[str]) -> list[ScriptHistogram]:
    value = parse_histogram(match.group(1))
    out = [value]
    step = parse_histogram(match.group(3)) if match.group(3) else None
    for _ in range(min(int(match.group(4) or 0), _MAX_POINTS)):
        if step is not None:
            value = value.plus(step, -1.0 if match.group(2) == "-" else 1.0)
        out.append(value)
    return out
