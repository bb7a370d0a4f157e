"""Functions of notification templates beside Go's own.

Source: https://prometheus.io/docs/alerting/latest/notifications/#functions
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import unquote_plus
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import re2  # type: ignore[import-untyped]

from swarmscope.lang.templates import SafeText, TemplateFailedError, TemplateFunction
from swarmscope.lang.templates.functions import Functions, Kind
from swarmscope.lang.templates.go_durations import Duration
from swarmscope.lang.templates.go_format import text_of
from swarmscope.lang.templates.moments import Moment, format_moment

MAX_PATTERN_LENGTH = 4096
_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")


def _title(text: str) -> str:
    return re.sub(r"(^|[^\w'])(\w)", lambda found: found[1] + found[2].upper(), text)


def _regex(pattern: str) -> re.Pattern[str]:
    options = re2.Options()
    options.log_errors = False
    if len(pattern) > MAX_PATTERN_LENGTH:
        raise TemplateFailedError(f"pattern is longer than {MAX_PATTERN_LENGTH} characters")
    try:
        compiled: re.Pattern[str] = re2.compile(pattern, options)
    except re2.error as error:
        raise TemplateFailedError(f"error parsing regexp: {error}") from None
    return compiled


def _replace_all(pattern: str, replacement: str, text: str) -> str:
    def expand(found: re.Match[str]) -> str:
        def group(reference: re.Match[str]) -> str:
            if reference[1]:
                return "$"
            name = reference[2] or reference[3]
            try:
                return found[int(name) if name.isdecimal() else name] or ""
            except (IndexError, KeyError):
                return ""

        return _REFERENCE.sub(group, replacement)

    return _regex(pattern).sub(expand, text)


def _join(separator: str, parts: object) -> str:
    if not isinstance(parts, list | tuple):
        raise TemplateFailedError("wrong type for value; expected []string")
    return separator.join(text_of(part) for part in parts)


def _tz(name: str, moment: Moment) -> Moment:
    try:
        return Moment(moment.ns, ZoneInfo(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise TemplateFailedError(f"unknown time zone {name}") from None


def humanize_duration(given: object) -> str:
    """Seconds (or a duration) in days to seconds. Raises TemplateFailedError."""
    if isinstance(given, Duration):
        given = given.ns / 1e9
    if isinstance(given, bool) or not isinstance(given, int | float | str):
        raise TemplateFailedError(f"can't convert {type(given).__name__} to float")
    try:
        value = float(given)
    except ValueError:
        raise TemplateFailedError(f"{given!r} is no number") from None
    if not math.isfinite(value):
        return f"{value:.4g}"
    if abs(value) < 1:
        return _fraction(value)
    sign, value = ("-", -value) if value < 0 else ("", value)
    minutes, seconds = divmod(int(value), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {seconds}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {seconds}s"
    return f"{sign}{minutes}m {seconds}s" if minutes else f"{sign}{value:.4g}s"


def _fraction(value: float) -> str:
    if value == 0:
        return "0s"
    for prefix in ("m", "u", "n", "p", "f", "a", "z"):
        value *= 1000
        if abs(value) >= 1:
            return f"{value:.4g}{prefix}s"
    return f"{value * 1000:.4g}ys"


def _plain(value: object) -> object:
    match value:
        case Mapping():
            return {str(key): _plain(each) for key, each in value.items()}
        case list() | tuple():
            return [_plain(each) for each in value]
        case Moment():
            return format_moment(value, "2006-01-02T15:04:05.999999999Z07:00")
        case Duration():
            return value.ns
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
    raise TemplateFailedError(f"json: unsupported value: {text_of(value)}")


def _to_json(value: object) -> str:
    text = json.dumps(_plain(value), ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _dict(*pairs: object) -> dict[str, object]:
    if len(pairs) % 2:
        raise TemplateFailedError("dict expects an even number of arguments")
    if not all(isinstance(key, str) for key in pairs[::2]):
        raise TemplateFailedError("dict keys must be strings")
    return {str(key): value for key, value in zip(pairs[::2], pairs[1::2], strict=True)}


def _append(values: object, *more: object) -> list[object]:
    if not isinstance(values, list | tuple):
        raise TemplateFailedError("append expects a list")
    return [*values, *more]


def _since(now_ns: int) -> TemplateFunction:
    return TemplateFunction(lambda moment: Duration(now_ns - moment.ns), (Kind.TIME,))


_FUNCTIONS = MappingProxyType({
    "toUpper": TemplateFunction(str.upper, (Kind.TEXT,)),
    "toLower": TemplateFunction(str.lower, (Kind.TEXT,)),
    "title": TemplateFunction(_title, (Kind.TEXT,)),
    "trimSpace": TemplateFunction(str.strip, (Kind.TEXT,)),
    "join": TemplateFunction(_join, (Kind.TEXT, Kind.ANY)),
    "match": TemplateFunction(lambda pattern, text: bool(_regex(pattern).search(text)), (Kind.TEXT, Kind.TEXT)),
    "reReplaceAll": TemplateFunction(_replace_all, (Kind.TEXT, Kind.TEXT, Kind.TEXT)),
    "safeHtml": TemplateFunction(SafeText, (Kind.TEXT,)),
    "safeUrl": TemplateFunction(SafeText, (Kind.TEXT,)),
    "urlUnescape": TemplateFunction(unquote_plus, (Kind.TEXT,)),
    "stringSlice": TemplateFunction(lambda *texts: list(texts), (), Kind.TEXT),
    "date": TemplateFunction(lambda layout, moment: format_moment(moment, layout), (Kind.TEXT, Kind.TIME)),
    "tz": TemplateFunction(_tz, (Kind.TEXT, Kind.TIME)),
    "humanizeDuration": TemplateFunction(humanize_duration, (Kind.ANY,)),
    "toJson": TemplateFunction(_to_json, (Kind.ANY,)),
    "list": TemplateFunction(lambda *values: list(values), (), Kind.ANY),
    "dict": TemplateFunction(_dict, (), Kind.ANY),
    "append": TemplateFunction(_append, (Kind.ANY,), Kind.ANY),
})  # fmt: skip
FUNCTION_NAMES = frozenset({*_FUNCTIONS, "since"})


def template_functions(now_ns: int) -> Functions:
    """The functions, for a notification of this time."""
    return {**_FUNCTIONS, "since": _since(now_ns)}
