"""The text `name{label="value",…}` of one series to labels and back; the only place that unescapes.

Besides Prometheus' classic form this is the UTF-8 form, where a quoted name stands first in the braces:
`{"my.metric","label.name"="value"}`.
"""

from __future__ import annotations

import re

from swarmscope.model.series_text import escape, quote
from swarmscope.receivers.scrape.exposition import ExpositionError
from swarmscope.receivers.scrape.names import is_legacy_label_name, is_legacy_metric_name

_PAIR = re.compile(
    rb'[ \t]*(?:([a-zA-Z_][a-zA-Z0-9_.:]*)|"((?:[^"\\\n]|\\.)*)")[ \t]*(=[ \t]*"((?:[^"\\\n]|\\.)*)")?[ \t]*(,|\})'
)
_PLAIN_NAME = re.compile(rb"[a-zA-Z_:][a-zA-Z0-9_:]*")
_ESCAPE = re.compile(r'\\([\\n"])')
_UNESCAPED = {"\\": "\\", "n": "\n", '"': '"'}


def unescape(text: str) -> str:
    r"""Undo `\\`, `\n` and `\"`; any other backslash stays, as in Prometheus."""
    return _ESCAPE.sub(lambda found: _UNESCAPED[found[1]], text) if "\\" in text else text


def decode_utf8(data: bytes, what: str) -> str:
    """`data` as text; raises ExpositionError naming `what`."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise ExpositionError(f"invalid UTF-8 in {what} {data!r}") from None


def parse_series(text: bytes) -> dict[str, str]:
    """Labels of a series as exposed, `__name__` among them, empty values kept; raises ExpositionError."""
    match = _PLAIN_NAME.match(text)
    labels: dict[str, str] = {}
    position = 0
    if match is not None:
        labels["__name__"] = match[0].decode()
        position = match.end()
    rest = text[position:].lstrip(b" \t")
    if rest:
        _parse_pairs(rest, labels)
    if not labels.get("__name__"):
        raise ExpositionError(f"metric name not set in {text.decode(errors='replace')!r}")
    return labels


def parse_braces(text: bytes) -> dict[str, str]:
    """Labels in `{…}` without a name (an exemplar's); raises ExpositionError."""
    labels: dict[str, str] = {}
    _parse_pairs(text, labels)
    return labels


def _parse_pairs(text: bytes, labels: dict[str, str]) -> None:
    if text[:1] != b"{":
        raise ExpositionError(f"expected a brace at {text.decode(errors='replace')!r}")
    position = 1
    if text[1:].strip(b" \t") == b"}":
        return
    end = len(text)
    while position < end:
        match = _PAIR.match(text, position)
        if match is None or (match[1] is not None and match[3] is None):
            raise ExpositionError(f"bad label at {text[position:].decode(errors='replace')!r}")
        _add_pair(match, labels)
        position = match.end()
        if match[5] == b"}":
            break
        if text[position:].strip(b" \t") == b"}":  # a trailing comma
            position = end
    if position != end or text[-1:] != b"}":
        raise ExpositionError(f"bad label at {text[position:].decode(errors='replace')!r}")


def _add_pair(match: re.Match[bytes], labels: dict[str, str]) -> None:
    plain, quoted, assigned, value = match[1], match[2], match[3], match[4]
    if plain is not None:
        name = plain.decode()
        if not is_legacy_label_name(name):
            raise ExpositionError(f"bad label name {name!r}: only a quoted name may hold other characters")
    else:
        name = unescape(decode_utf8(quoted, "label name"))
    if assigned is None:
        if "__name__" in labels:
            raise ExpositionError(f"metric name already set when {name!r} was found")
        labels["__name__"] = name
        return
    if name in labels:
        raise ExpositionError(f"label name {name!r} stands twice")
    labels[name] = unescape(decode_utf8(value, "label value"))


def series_text(labels: dict[str, str]) -> bytes:
    """The text of a series; `parse_series` of it gives the same labels."""
    name = labels.get("__name__", "")
    pairs = [
        f'{key if is_legacy_label_name(key) else quote(key)}="{escape(value)}"'
        for key, value in labels.items()
        if key != "__name__"
    ]
    if is_legacy_metric_name(name):
        return f"{name}{{{','.join(pairs)}}}".encode() if pairs else name.encode()
    return f"{{{','.join([quote(name), *pairs])}}}".encode()
