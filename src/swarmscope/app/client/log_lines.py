"""Lines of Loki's answers, and how they look in a terminal."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from rich.console import Console
from rich.text import Text

_NS_PER_S = 1_000_000_000
_LEVEL_STYLES = {
    "trace": "dim", "debug": "blue", "info": "green", "warn": "yellow", "warning": "yellow", "error": "red",
    "critical": "bold red", "fatal": "bold white on red",
}  # fmt: skip
_LEVEL_LABELS = ("detected_level", "level", "severity")
_WIDEST_LEVEL = 5
_SHORT_LEVELS = {"critical": "CRIT", "warning": "WARN"}  # what stands in the column where the whole word has no room


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line with all that the answer says of it."""

    ts_ns: int
    labels: Mapping[str, str]
    line: str

    @property
    def level(self) -> str:
        """How grave it is, in lower case, "" where nothing tells."""
        found = next((self.labels[name] for name in _LEVEL_LABELS if self.labels.get(name)), "")
        return "" if found == "unknown" else found.lower()

    @property
    def identity(self) -> tuple[int, str, str]:
        """What makes it one line and no other."""
        return self.ts_ns, json.dumps(self.labels, sort_keys=True), self.line


def read_lines(streams: list[dict[str, Any]]) -> Iterator[LogLine]:
    """All lines of `result` or `streams`, stream by stream."""
    for stream in streams:
        labels = stream["stream"]
        for value in stream["values"]:
            yield LogLine(int(value[0]), labels, value[1])


def spell_time_ns(ts_ns: int) -> str:
    """ISO 8601 in UTC with milliseconds."""
    moment = datetime.fromtimestamp(ts_ns // _NS_PER_S, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{ts_ns % _NS_PER_S // 1_000_000:03d}Z"


def print_line(line: LogLine, console: Console, *, with_labels: bool = False) -> None:
    """Time, level, service and text, coloured by level; `with_labels`: all labels in place of the service."""
    style = _LEVEL_STYLES.get(line.level, "")
    text = Text()  # a style of its own would be that of all that is appended
    text.append(spell_time_ns(line.ts_ns), style="dim")
    shown_level = _SHORT_LEVELS.get(line.level, line.level.upper()[:_WIDEST_LEVEL])
    text.append(f" {shown_level:<{_WIDEST_LEVEL}} ", style=style)
    service = line.labels.get("service_name", "")
    if with_labels:
        shown = ", ".join(
            f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in sorted(line.labels.items())
        )
        text.append(f"{{{shown}}} ", style="cyan")
    elif service and service != "unknown_service":
        text.append(f"{service} ", style="cyan")
    # Control characters of a log must not drive the terminal; its own colours are kept as colours.
    text.append_text(Text.from_ansi(line.line) if "\x1b" in line.line else Text(line.line))
    console.print(text, soft_wrap=True, highlight=False)


def write_json(line: LogLine, stream: TextIO) -> None:
    """One JSON object a line."""
    text = json.dumps(
        {"timestamp": str(line.ts_ns), "labels": dict(line.labels), "line": line.line}, ensure_ascii=False
    )
    stream.write(text + "\n")
