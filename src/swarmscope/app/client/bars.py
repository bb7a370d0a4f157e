"""Horizontal bars in the terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from swarmscope.app.client.fleet_tables import cut

_MAX_NAME = 32
_MAX_WIDTH = 100
_LEAST_BAR = 10
# Eighths of a block from the left, Unicode's block elements.
_EIGHTHS = " ▏▎▍▌▋▊▉"


class Bar(NamedTuple):
    """One bar; values below 0 and what is no number have none."""

    name: str
    value: float
    style: str = "cyan"


def print_bars(bars: Sequence[Bar], console: Console) -> None:
    """Print a line for each bar, the longest as wide as the terminal lets it be; nothing where none is above 0."""
    highest = max((bar.value for bar in bars if math.isfinite(bar.value)), default=0.0)
    if highest <= 0:
        return
    names = [cut(bar.name, _MAX_NAME) for bar in bars]
    margin = max(map(cell_len, names))
    figures = [spell_number(bar.value) for bar in bars]
    room = min(console.width, _MAX_WIDTH) - margin - max(map(len, figures)) - 4
    for name, figure, bar in zip(names, figures, bars, strict=True):
        share = max(bar.value, 0.0) / highest if math.isfinite(bar.value) else 0.0
        line = Text(f"{' ' * (margin - cell_len(name))}{name} ┤")
        line.append(_drawn(share * max(room, _LEAST_BAR)), style=bar.style).append(f" {figure}")
        console.print(line, soft_wrap=True, highlight=False)


def spell_number(value: float | None) -> str:
    """A number with at most six decimals, or a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "-"
    if value and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3g}"
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _drawn(cells: float) -> str:
    whole, eighths = divmod(round(cells * 8), 8)
    return "█" * whole + (_EIGHTHS[eighths] if eighths else "")
