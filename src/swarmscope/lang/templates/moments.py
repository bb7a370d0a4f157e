"""Points in time, printed and read by Go's layouts. Source: https://pkg.go.dev/time#pkg-constants

A layout is an example: how the moment Mon Jan 2 15:04:05 2006 -0700 would be written.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
           "November", "December")  # fmt: skip
# Longer elements first: `January` is not `Jan` and `uary`.
_ELEMENT = re.compile(
    r"January|Jan|Monday|Mon|MST|2006|002|__2|_2(?!006)|-07:00:00|-070000|-07:00|-0700|-07|Z07:00:00|Z070000|Z07:00"
    r"|Z0700|Z07|[.,](?:0+|9+)(?![0-9])|01|02|03|04|05|06|15|PM|pm|1|2|3|4|5"
)
_NS = 1_000_000_000
STRING_LAYOUT = "2006-01-02 15:04:05.999999999 -0700 MST"


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """A moment and the zone that it is shown in. Moments are equal where they are the same instant in one zone."""

    ns: int  # Unix nanoseconds
    zone: tzinfo = UTC

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Moment) and (self.ns, str(self.zone)) == (other.ns, str(other.zone))

    def __hash__(self) -> int:
        return hash(self.ns)

    def __str__(self) -> str:
        return format_moment(self, STRING_LAYOUT)

    @property
    def calendar(self) -> datetime:
        """Date and time in the zone, to the microsecond."""
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=self.ns // 1000)).astimezone(self.zone)


@lru_cache(maxsize=256)
def _layout_parts(layout: str) -> tuple[tuple[bool, str], ...]:
    """Elements (True) and literal text (False) in order."""
    parts: list[tuple[bool, str]] = []
    end = 0
    for match in _ELEMENT.finditer(layout):
        if match[0][0] in ".," and not (
            parts and parts[-1][0] and match.start() == end and parts[-1][1] in ("05", "5")
        ):
            continue  # A fraction stands behind seconds alone.
        if match.start() > end:
            parts.append((False, layout[end : match.start()]))
        parts.append((True, match[0]))
        end = match.end()
    if end < len(layout):
        parts.append((False, layout[end:]))
    return tuple(parts)


def format_moment(moment: Moment, layout: str) -> str:
    """The moment in its zone, written as the layout has it."""
    when = moment.calendar
    fraction = moment.ns % _NS
    return "".join(_element_text(text, when, fraction) if element else text for element, text in _layout_parts(layout))


def _element_text(element: str, when: datetime, fraction_ns: int) -> str:
    if element[0] in ".,":
        digits = f"{fraction_ns:09d}"[: len(element) - 1]
        kept = digits if element[1] == "0" else digits.rstrip("0")
        return element[0] + kept if kept else ""
    if element[0] in "-Z":
        return _offset_text(element, when)
    hour = when.hour % 12 or 12
    texts = {
        "January": _MONTHS[when.month - 1], "Jan": _MONTHS[when.month - 1][:3], "1": str(when.month),
        "01": f"{when.month:02d}", "Monday": _DAYS[when.weekday()], "Mon": _DAYS[when.weekday()][:3],
        "2": str(when.day), "_2": f"{when.day:2d}", "02": f"{when.day:02d}",
        "002": f"{when.timetuple().tm_yday:03d}", "__2": f"{when.timetuple().tm_yday:3d}", "15": f"{when.hour:02d}",
        "3": str(hour), "03": f"{hour:02d}", "4": str(when.minute), "04": f"{when.minute:02d}", "5": str(when.second),
        "05": f"{when.second:02d}", "2006": f"{when.year:04d}", "06": f"{when.year % 100:02d}",
        "PM": "PM" if when.hour >= 12 else "AM", "pm": "pm" if when.hour >= 12 else "am", "MST": _zone_text(when),
    }  # fmt: skip
    return texts[element]


def _zone_text(when: datetime) -> str:
    name = when.tzname() or ""
    if name.startswith("UTC") and name != "UTC":  # a fixed offset has no name of its own
        return _offset_text("-07", when) if not _seconds_east(when) % 3600 else _offset_text("-0700", when)
    return name


def _seconds_east(when: datetime) -> int:
    return int((when.utcoffset() or timedelta()).total_seconds())


def _offset_text(element: str, when: datetime) -> str:
    east = _seconds_east(when)
    if element[0] == "Z" and east == 0:
        return "Z"
    colon = ":" if ":" in element else ""
    hours, rest = divmod(abs(east), 3600)
    text = f"{'-' if east < 0 else '+'}{hours:02d}"
    fields = len(element.replace(":", "")) // 2  # hours, minutes, seconds
    if fields > 1:
        text += f"{colon}{rest // 60:02d}"
    return text + (f"{colon}{rest % 60:02d}" if fields > 2 else "")


_READ = {
    "January": "|".join(_MONTHS), "Jan": "|".join(name[:3] for name in _MONTHS), "Monday": "|".join(_DAYS),
    "Mon": "|".join(name[:3] for name in _DAYS), "1": r"\d{1,2}", "01": r"\d{2}", "2": r"[ ]?\d{1,2}",
    "_2": r"[ ]?\d{1,2}", "02": r"\d{2}", "002": r"\d{3}", "__2": r"[ ]{0,2}\d{1,3}", "15": r"\d{2}", "3": r"\d{1,2}",
    "03": r"\d{2}", "4": r"\d{1,2}", "04": r"\d{2}", "5": r"\d{1,2}", "05": r"\d{2}", "2006": r"\d{4}", "06": r"\d{2}",
    "PM": "AM|PM", "pm": "am|pm", "MST": r"[A-Z]{3,5}|[+-]\d{2}(?:\d{2})?", "-07:00:00": r"[+-]\d{2}:\d{2}:\d{2}",
    "-070000": r"[+-]\d{6}", "-07:00": r"[+-]\d{2}:\d{2}", "-0700": r"[+-]\d{4}", "-07": r"[+-]\d{2}",
}  # fmt: skip


@lru_cache(maxsize=256)
def _layout_regex(layout: str) -> tuple[re.Pattern[str], tuple[str, ...]]:
    regex, elements = "", []
    parts = _layout_parts(layout)
    for position, (element, text) in enumerate(parts):
        if not element:
            regex += re.escape(text)
            continue
        if text[0] in ".,":
            exact = len(text) - 1
            regex += rf"((?:[.,]\d{{{exact}}}))" if text[1] == "0" else r"((?:[.,]\d+)?)"
        elif text[0] == "Z":
            regex += f"(Z|{_READ['-' + text[1:]]})"
        else:
            regex += f"({_READ[text]})"
            followed = position + 1 < len(parts) and parts[position + 1][0] and parts[position + 1][1][0] in ".,"
            if text in ("05", "5") and not followed:
                regex += r"((?:[.,]\d+)?)"  # Go reads a fraction behind seconds even where the layout has none.
                elements += [text, "."]
                continue
        elements.append(text)
    return re.compile(regex), tuple(elements)


def parse_moment(layout: str, text: str, zone: tzinfo = UTC) -> Moment:
    """The moment that a text in this layout means; `zone` where the text has none. Raises ValueError."""
    regex, elements = _layout_regex(layout)
    match = regex.fullmatch(text)
    if match is None:
        raise ValueError(f"parsing time {text!r} as {layout!r}: cannot parse")
    found: dict[str, int] = {"year": 0, "month": 1, "day": 1, "hour": 0, "minute": 0, "second": 0, "fraction_ns": 0}
    for element, value in zip(elements, match.groups(), strict=True):
        _read_element(element, value.strip(), found)
    if "half" in found:
        found["hour"] = found["hour"] % 12 + 12 * found["half"]
    east = found.get("east_s")
    where: tzinfo = zone
    if east is not None:
        where = UTC if east == 0 else timezone(timedelta(seconds=east))
    when = datetime(
        found["year"] or 1, found["month"], found["day"], found["hour"], found["minute"], found["second"], tzinfo=where
    )
    if "yearday" in found:
        when = when.replace(month=1, day=1) + timedelta(days=found["yearday"] - 1)
    since = when - datetime(1970, 1, 1, tzinfo=UTC)
    seconds = since.days * 86_400 + since.seconds - (366 * 86_400 if found["year"] == 0 else 0)
    return Moment(seconds * _NS + found["fraction_ns"], where)


_FIELDS = {
    "1": "month", "01": "month", "2": "day", "_2": "day", "02": "day", "002": "yearday", "__2": "yearday",
    "15": "hour", "3": "hour", "03": "hour", "4": "minute", "04": "minute", "5": "second", "05": "second",
    "2006": "year",
}  # fmt: skip


def _read_element(element: str, value: str, found: dict[str, int]) -> None:
    if element in _FIELDS:
        found[_FIELDS[element]] = int(value)
    elif element == "06":
        found["year"] = int(value) + (1900 if int(value) >= 69 else 2000)
    elif element in ("January", "Jan"):
        found["month"] = next(i for i, name in enumerate(_MONTHS, 1) if name.startswith(value))
    elif element in ("PM", "pm"):
        found["half"] = int(value.lower() == "pm")
    elif element[0] in ".,":
        found["fraction_ns"] = int(value[1:10].ljust(9, "0")) if value else 0
    elif value == "Z" or (element == "MST" and value in ("UTC", "GMT")):
        found["east_s"] = 0
    elif element[0] in "-Z" or (element == "MST" and value[0] in "+-"):
        digits = value[1:].replace(":", "").ljust(6, "0")
        size = int(digits[:2]) * 3600 + int(digits[2:4]) * 60 + int(digits[4:])
        found["east_s"] = -size if value[0] == "-" else size
