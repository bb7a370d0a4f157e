"""A trace in a terminal: its spans as a tree, when each was at work, what failed and what is odd."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from rich.console import Console
from rich.text import Text

from swarmscope.app.client.trace_spans import ShownSpan, Value, family_of_spans
from swarmscope.model.trace_family import Family, Oddity

_NS_PER_S = 1_000_000_000
_UNITS = (("s", _NS_PER_S), ("ms", 1_000_000), ("µs", 1_000))
_NS_PER_MINUTE = 60 * _NS_PER_S
_LEAST_BAR, _MOST_BAR = 10, 40
_ROOM_FOR_NAMES = 44
_DURATION_WIDTH = 9
_MOST_DEPTH = 24  # deeper spans are not indented further: a chain of thousands stays readable
_SHORT = {
    Oddity.MISSING_PARENT: "parent is missing",
    Oddity.PARENT_CYCLE: "its own ancestor",
    Oddity.REPEATED_ID: "id is repeated",
    Oddity.CLOCK_SKEW: "clocks differ",
}


class _Window(NamedTuple):
    """The time that bars show."""

    start_ns: int
    length_ns: int
    width: int


def print_trace(trace_id: str, spans: list[ShownSpan], message: str, console: Console, *, is_verbose: bool) -> None:
    """A heading, then a line for each span, parents first; `is_verbose`: with attributes and events."""
    family = family_of_spans(spans)
    window = _window(spans, console.width)
    _print_heading(trace_id, spans, family, console)
    if message:
        console.print(Text(message, style="yellow"), soft_wrap=True, highlight=False)
    for row, depth in family.walk():
        span, oddities = spans[row], family.oddities[row]
        line = _line(span, depth, oddities, window)
        console.print(line, soft_wrap=True, highlight=False)
        if is_verbose:
            for detail in _details(span):
                text = Text(" " * (_bar_room(window) + 2 * min(depth, _MOST_DEPTH) + 2))
                console.print(text.append_text(detail), soft_wrap=True, highlight=False)


def _window(spans: list[ShownSpan], width: int) -> _Window:
    start_ns = min(span.start_ns for span in spans)
    end_ns = max(max(span.start_ns, span.end_ns) for span in spans)
    room = width - _ROOM_FOR_NAMES - _DURATION_WIDTH
    return _Window(start_ns, max(end_ns - start_ns, 1), 0 if room < _LEAST_BAR else min(room, _MOST_BAR))


def _print_heading(trace_id: str, spans: list[ShownSpan], family: Family, console: Console) -> None:
    first = spans[family.roots[0]]
    start_ns = min(span.start_ns for span in spans)
    end_ns = max(span.end_ns for span in spans)
    services = len({span.service for span in spans})
    errors = sum(span.is_error for span in spans)
    heading = Text(f"trace {trace_id}  ", style="bold")
    heading.append(f"{spell_time(start_ns)}  {spell_duration(end_ns - start_ns)}  ", style="not bold")
    heading.append(f"{_counted(len(spans), 'span')}, {_counted(services, 'service')}", style="not bold")
    if errors:
        heading.append(f", {_counted(errors, 'error')}", style="red not bold")
    console.print(heading, soft_wrap=True, highlight=False)
    if len(family.roots) > 1:
        words = f"{len(family.roots)} spans have no parent here; the first is {first.service} {first.name}"
        console.print(Text(_plain(words), style="yellow"), soft_wrap=True, highlight=False)


def _line(span: ShownSpan, depth: int, oddities: list[Oddity], window: _Window) -> Text:
    style = "red" if span.is_error else ""
    text = Text(f"{spell_duration(span.duration_ns):>{_DURATION_WIDTH}} ", style="")
    if window.width:
        text.append(_bar(span, window), style=style or "cyan")
        text.append(" ")
    else:
        offset = spell_duration(span.start_ns - window.start_ns)
        text.append(f"+{offset:<{_DURATION_WIDTH}} ", style="dim")
    text.append("  " * min(depth, _MOST_DEPTH))
    if span.service:
        text.append(f"{_plain(span.service)} ", style="red" if span.is_error else "cyan")
    text.append(_plain(span.name), style=style or "bold")
    if span.is_error:
        text.append(f"  error{': ' + _plain(span.status_message) if span.status_message else ''}", style="red")
    for oddity in oddities:
        text.append(f"  [{_SHORT[oddity]}]", style="yellow")
    return text


def _bar_room(window: _Window) -> int:
    return _DURATION_WIDTH + 1 + (window.width or _DURATION_WIDTH + 1) + 1


def _bar(span: ShownSpan, window: _Window) -> str:
    """When the span was at work; one cell at the least."""
    begin = (span.start_ns - window.start_ns) * window.width // window.length_ns
    end = -(-(max(span.end_ns, span.start_ns) - window.start_ns) * window.width // window.length_ns)
    begin = min(begin, window.width - 1)
    length = max(min(end, window.width) - begin, 1)
    return ("·" * begin + "━" * length).ljust(window.width, "·")


def _details(span: ShownSpan) -> Iterator[Text]:
    about = f"id {span.span_id}" + (f", parent {span.parent_id}" if span.parent_id else "")
    yield Text(about + (f", {span.kind}" if span.kind else ""), style="dim")
    for name, value in span.attributes.items():
        yield _pair(name, value)
    for name, value in span.resource.items():
        if name != "service.name":
            yield _pair(f"resource.{name}", value)
    for event in span.events:
        text = Text(f"+{spell_duration(event.ts_ns - span.start_ns)} ", style="dim")
        text.append(_plain(event.name), style="magenta")
        if event.attributes:
            text.append(" " + ", ".join(f"{_plain(name)}={spell_value(value)}" for name, value in
                                        event.attributes.items()))  # fmt: skip
        yield text


def _pair(name: str, value: Value) -> Text:
    return Text(f"{_plain(name)}=", style="blue").append(spell_value(value), style="default")


def spell_value(value: Value) -> str:
    """A value for the eye; texts without quotes."""
    return _plain(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def spell_duration(duration_ns: int) -> str:
    """Three digits and a unit: `1.23 s` as `1.23s`, from a minute on `2m5s`."""
    sign, rest = ("-", -duration_ns) if duration_ns < 0 else ("", duration_ns)
    if rest >= _NS_PER_MINUTE:
        minutes, seconds = divmod(rest // _NS_PER_S, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{sign}{hours}h{minutes}m" if hours else f"{sign}{minutes}m{seconds}s"
    for unit, size in _UNITS:
        if rest >= size:
            number = rest / size
            digits = 2 if number < 10 else 1 if number < 100 else 0
            return f"{sign}{number:.{digits}f}{unit}"
    return f"{sign}{rest}ns"


def spell_time(ts_ns: int) -> str:
    """ISO 8601 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(ts_ns // _NS_PER_S, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ts_ns % _NS_PER_S // 1_000_000:03d}Z"


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _plain(text: str) -> str:
    """Without control characters: texts of spans must not drive the terminal."""
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def to_json(trace_id: str, spans: list[ShownSpan], answer: Mapping[str, object]) -> dict[str, object]:
    """The trace for other programs: spans in the order of the tree, with depth and oddities."""
    family = family_of_spans(spans)
    return {
        "traceId": trace_id,
        "status": answer.get("status", "COMPLETE"),
        **({"message": answer["message"]} if answer.get("message") else {}),
        "spans": [
            {
                "spanId": spans[row].span_id,
                "parentSpanId": spans[row].parent_id or None,
                "depth": depth,
                "service": spans[row].service,
                "name": spans[row].name,
                "kind": spans[row].kind or None,
                "startTimeUnixNano": str(spans[row].start_ns),
                "durationNanos": str(spans[row].duration_ns),
                "status": spans[row].status or None,
                "statusMessage": spans[row].status_message or None,
                "attributes": dict(spans[row].attributes),
                "resource": dict(spans[row].resource),
                "events": [
                    {"timeUnixNano": str(event.ts_ns), "name": event.name, "attributes": dict(event.attributes)}
                    for event in spans[row].events
                ],
                "oddities": [oddity.name.lower() for oddity in family.oddities[row]],
            }
            for row, depth in family.walk()
        ],
    }
