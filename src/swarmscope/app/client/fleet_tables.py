"""Tables about agents that fit the terminal: long names are cut, numbers never; and how numbers are spelt there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP = 2
_LEAST_NAME = 6
_LEAST_TAIL = 3
_THOUSAND = 1000
_SCALES = ("", "k", "M", "G", "T")
_CENT, _LEAST_COST = 0.01, 0.0001
_AGES = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))
_UNKNOWN = "-"
# Worst first: what needs a look stands at the top.
STATUS_STYLES = {
    "deadlocked": "bold red", "looping": "red", "stalled": "red", "degraded": "yellow", "active": "green", "idle": "",
    "offline": "dim",
}  # fmt: skip


class Column(NamedTuple):
    """A heading; numbers stand at the right. Neither they nor texts that are `whole` are ever cut."""

    title: str
    is_number: bool = False
    is_whole: bool = False


def fleet_table(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> Table:
    """A table of at most `width` characters, as long as its numbers leave room for names at all."""
    widths = _fitted(columns, rows, width)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="bold")
    for column, room in zip(columns, widths, strict=True):
        justify: Literal["right", "left"] = "right" if column.is_number else "left"
        heading = Text(column.title)
        table.add_column(heading, justify=justify, no_wrap=True, overflow="ellipsis", min_width=room, max_width=room)
    for row in rows:
        table.add_row(*(_shortened(cell, room) for cell, room in zip(row, widths, strict=True)))
    return table


def print_lines(console: Console, table: Table) -> None:
    """Print a `fleet_table` without the spaces at the ends of its lines; one that cannot fit is printed whole."""
    width = sum((column.max_width or 0) + _GAP for column in table.columns)
    options = console.options.update(width=max(width, console.width))
    for line in console.render_lines(table, options, pad=False):
        text = Text()
        for segment in line:
            text.append(segment.text, segment.style)
        text.rstrip()
        console.print(text, soft_wrap=True, highlight=False)


def _fitted(columns: Sequence[Column], rows: Sequence[Sequence[Text]], width: int) -> list[int]:
    """The widths of columns [n_columns]: the widest names give way first, and those of equal width by turns."""
    widths = [
        max(cell_len(column.title), *(cell_len(row[index].plain) for row in rows), 1)
        for index, column in enumerate(columns)
    ]
    excess = sum(widths) + _GAP * (len(columns) - 1) - width
    while excess > 0:
        names = [
            index
            for index, column in enumerate(columns)
            if not (column.is_number or column.is_whole) and widths[index] > _LEAST_NAME
        ]
        if not names:
            break
        widest = max(names, key=lambda index: widths[index])
        widths[widest] -= 1
        excess -= 1
    return widths


def _shortened(cell: Text, room: int) -> Text:
    """A name that is too long without its middle: `writer-01` and `writer-02` differ at the end."""
    words = cell.plain
    if cell_len(words) <= room or cell_len(words) != len(words):  # the table cuts the ends of wide letters
        return cell
    tail = min(max(_LEAST_TAIL, room // 3), max(room - 2, 0))
    return Text(f"{words[: room - tail - 1]}…{words[len(words) - tail :]}", style=cell.style)


def plain(words: object) -> str:
    """A text of the answer without control characters, which must not drive the terminal; None is empty."""
    text = "" if words is None else str(words)
    return "".join(letter if letter.isprintable() else "�" for letter in text)


def named(words: object) -> Text:
    """A name, or a dash where there is none."""
    return Text(plain(words) or _UNKNOWN)


def count_text(number: float | None) -> Text:
    """A count with three digits or so: `999`, `12.3k`, `4M`; a dash where it is unknown."""
    return Text(_UNKNOWN if number is None else spell_count(number))


def spell_count(number: float) -> str:
    """See `count_text`."""
    value, scale = float(number), 0
    # What would be rounded to a thousand takes the next letter.
    while abs(value) >= _THOUSAND - (0.05 if scale else 0.5) and scale < len(_SCALES) - 1:
        value, scale = value / _THOUSAND, scale + 1
    digits = f"{value:.1f}".removesuffix(".0") if scale else f"{value:.0f}"
    return digits + _SCALES[scale]


def errors_text(number: float | None) -> Text:
    """A count of errors: red, and nothing where there are none."""
    return Text(spell_count(number), style="red") if number else Text("")


def cost_text(cost_usd: float | None) -> Text:
    """See `spell_cost`."""
    return Text(spell_cost(cost_usd))


def spell_cost(cost_usd: float | None) -> str:
    """US dollars: cents, below a cent four places; a dash where it is unknown."""
    if cost_usd is None:
        return _UNKNOWN
    if cost_usd == 0 or abs(cost_usd) >= _CENT:
        return f"${cost_usd:,.2f}"
    return f"${cost_usd:.4f}" if abs(cost_usd) >= _LEAST_COST else f"<${_LEAST_COST}"


def time_ns_of(words: object) -> int | None:
    """RFC 3339 as Unix nanoseconds; None where there is none or it is no time."""
    try:
        moment = datetime.fromisoformat(str(words))
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(moment.timestamp() * 1000) * 1_000_000


def spell_age(words: object, now_ns: int) -> str:
    """How long ago a time of an answer is, in its largest unit: `5s`, `12m`, `3d`."""
    then_ns = time_ns_of(words)
    if then_ns is None:
        return _UNKNOWN
    seconds = max(now_ns - then_ns, 0) // 1_000_000_000
    for size, unit in _AGES:
        if seconds >= size:
            return f"{seconds // size}{unit}"
    return "0s"


def counted(number: int, noun: str) -> str:
    """`1 agent`, `2 agents`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def cut(words: str, width: int) -> str:
    """At most `width` cells, with an ellipsis where something is missing."""
    text = Text(words)
    text.truncate(max(width, 1), overflow="ellipsis")
    return text.plain
