"""A line chart in the terminal, drawn with braille dots (2 × 4 to a character)."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from swarmscope.app.client.answers import Answer, Series, spell_time

_HEIGHT = 16  # characters
_MAX_WIDTH = 120
_MAX_SERIES = 12
_COLOURS = ("cyan", "magenta", "yellow", "green", "blue", "red", "bright_cyan", "bright_magenta", "bright_yellow",
            "bright_green", "bright_blue", "bright_red")  # fmt: skip
_BRAILLE = 0x2800
# Bit of the dot at (column 0 … 1, row 0 … 3 from the top), Unicode 15 chapter 21.1.
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
Point = tuple[float, float]


def _numbers(series: Series) -> list[Point]:
    points = []
    for when, text in series.points:
        try:
            value = float(text)
        except ValueError:  # a native histogram
            continue
        if math.isfinite(value):
            points.append((when, value))
    return points


class _Canvas:
    """Dots with the colour of the series that set them last."""

    def __init__(self, width: int, low: Point, high: Point) -> None:
        self.columns, self.rows = width * 2, _HEIGHT * 4
        self._cells: list[list[tuple[int, str]]] = [[(0, "") for _ in range(width)] for _ in range(_HEIGHT)]
        self._low = low
        self._scale = tuple(
            (n - 1) / (b - a) if b > a else 0.0 for n, a, b in zip((self.columns, self.rows), low, high, strict=True)
        )

    def _place(self, point: Point) -> tuple[int, int]:
        return round((point[0] - self._low[0]) * self._scale[0]), round((point[1] - self._low[1]) * self._scale[1])

    def _set(self, column: int, row: int, colour: str) -> None:
        line, character = divmod(self.rows - 1 - row, 4)[0], column // 2
        bits, _ = self._cells[line][character]
        self._cells[line][character] = (bits | _DOTS[column % 2][(self.rows - 1 - row) % 4], colour)

    def draw(self, points: Sequence[Point], colour: str) -> None:
        """Join the points with straight lines; gaps of more than one and a half steps stay open."""
        gap_s = min((b[0] - a[0] for a, b in zip(points, points[1:], strict=False)), default=0.0) * 1.5
        for index, point in enumerate(points):
            column, row = self._place(point)
            before = points[index - 1] if index and point[0] - points[index - 1][0] <= gap_s else point
            first_column, first_row = self._place(before)
            steps = max(abs(column - first_column), abs(row - first_row), 1)
            for k in range(steps + 1):
                self._set(
                    first_column + round((column - first_column) * k / steps),
                    first_row + round((row - first_row) * k / steps),
                    colour,
                )

    def lines(self) -> list[Text]:
        """The picture, top line first."""
        pictures = []
        for cells in self._cells:
            line = Text()
            for bits, colour in cells:
                line.append(chr(_BRAILLE + bits) if bits else " ", style=colour)
            pictures.append(line)
        return pictures


def _digits(low: float, high: float) -> int:
    """Significant digits that tell the marks of an axis apart."""
    if high <= low:
        return 6
    return min(max(4, 3 + math.ceil(math.log10(max(abs(low), abs(high)) / (high - low)))), 15)


def print_chart(answer: Answer, console: Console) -> None:
    """Plot every series over time, with axes and a legend. Values that are not finite leave a gap."""
    shown = [(series.name, points) for series in answer.series if (points := _numbers(series))]
    if not shown:
        console.print(Text("no data", style="dim"))
        return
    hidden, shown = len(shown[_MAX_SERIES:]), shown[:_MAX_SERIES]
    every = [point for _, points in shown for point in points]
    low = (min(when for when, _ in every), min(value for _, value in every))
    high = (max(when for when, _ in every), max(value for _, value in every))
    digits = _digits(low[1], high[1])
    marks = {0: f"{high[1]:.{digits}g}", _HEIGHT - 1: f"{low[1]:.{digits}g}"}
    if high[1] > low[1]:
        marks[_HEIGHT // 2] = f"{low[1] + (high[1] - low[1]) * (1 - (_HEIGHT // 2) / (_HEIGHT - 1)):.{digits}g}"
    margin = max(map(len, marks.values()))
    width = max(min(console.width, _MAX_WIDTH) - margin - 3, 10)
    canvas = _Canvas(width, low, high)
    for index, (_, points) in enumerate(shown):
        canvas.draw(points, _COLOURS[index])
    for number, line in enumerate(canvas.lines()):
        console.print(Text(f"{marks.get(number, ''):>{margin}} ┤").append_text(line), no_wrap=True)
    console.print(Text(f"{'':>{margin}} └{'─' * width}"), no_wrap=True)
    left, right = spell_time(round(low[0])), spell_time(round(high[0]))
    console.print(
        Text(f"{'':>{margin}}  {left}{right:>{max(width - len(left), len(right) + 1)}}", style="dim"), soft_wrap=True
    )
    for index, (name, _) in enumerate(shown):
        console.print(Text("● ", style=_COLOURS[index]).append(name, style="default"), soft_wrap=True)
    if hidden:
        console.print(Text(f"and {hidden} more series", style="dim"))
