"""A small picture of a query's recent values."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, TypeAlias
from urllib.parse import parse_qs, urlsplit

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from swarmscope.lang.promql.go_numbers import text_number

WIDTH, HEIGHT = 720, 280
MAX_LINES = 12
_LEFT, _RIGHT, _TOP, _BOTTOM = 64, 16, 32, 32
_GRID_LINES = 4
_MAX_POINTS = 4 * WIDTH
_BACKGROUND, _AXIS, _GRID, _TEXT = "#ffffff", "#888888", "#e4e4e4", "#333333"
_COLORS = ("#1f6feb", "#d1242f", "#1a7f37", "#9a6700", "#8250df", "#bf3989", "#0a7ea4", "#57606a")
_NS = 1_000_000_000
_LARGEST = 1e300


class ChartRequest(NamedTuple):
    """What is to be drawn: a PromQL expression of a tenant from start to end, in Unix nanoseconds."""

    tenant: str
    expression: str
    start_ns: int
    end_ns: int


class ChartLine(NamedTuple):
    """One series: times [n] in Unix nanoseconds, ascending, and values [n]."""

    name: str
    times_ns: NDArray[np.int64]
    values: NDArray[np.float64]


# Asks the store; it may take its time, and runs in a thread. Raises SwarmscopeError.
ChartValues: TypeAlias = Callable[[ChartRequest], Sequence[ChartLine]]


def expression_of(generator_url: str) -> str:
    """The expression in an alert's link to its graph, "" where there is none."""
    try:
        query = parse_qs(urlsplit(generator_url).query)
    except ValueError:
        return ""
    return (query.get("g0.expr") or query.get("expr") or [""])[0]


def draw_chart(request: ChartRequest, lines: Sequence[ChartLine], title: str) -> bytes | None:
    """A PNG, None where there is no value to draw."""
    shown = [_thinned(line) for line in lines[:MAX_LINES]]
    finite = [line.values[np.isfinite(line.values)] for line in shown]
    values = np.concatenate(finite) if finite else np.empty(0)
    if not values.size:
        return None
    low, high = _bounds(float(values.min()), float(values.max()))
    image = Image.new("RGB", (WIDTH, HEIGHT), _BACKGROUND)
    draw = ImageDraw.Draw(image)
    _draw_axes(draw, request, low, high)
    more = f" (+{len(lines) - MAX_LINES})" if len(lines) > MAX_LINES else ""
    draw.text((_LEFT, 8), (title[:80] + more), fill=_TEXT, font=ImageFont.load_default(14))
    for line, color in zip(shown, _COLORS * (MAX_LINES // len(_COLORS) + 1), strict=False):
        _draw_line(draw, request, line, (low, high), color)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _thinned(line: ChartLine) -> ChartLine:
    step = max(1, math.ceil(line.times_ns.size / _MAX_POINTS))
    values = line.values[::step]
    # At the ends of the range of floats a difference would be infinite.
    values = np.where(np.isfinite(values), np.clip(values, -_LARGEST, _LARGEST), np.nan)
    return ChartLine(line.name, line.times_ns[::step], values)


def _bounds(low: float, high: float) -> tuple[float, float]:
    """A little air above and below; a flat line runs in the middle."""
    air = (high - low) * 0.08 or abs(high) * 0.1 or 1.0
    bottom = 0.0 if 0 <= low <= (high - low) * 0.5 else low - air
    top = high + air
    # Values near the end of the range of floats leave no room for air.
    return (bottom, top) if math.isfinite(bottom) and math.isfinite(top) and top > bottom else (low, low + 1.0)


def _x(request: ChartRequest, times_ns: NDArray[np.int64]) -> NDArray[np.float64]:
    span_ns = max(1, request.end_ns - request.start_ns)
    return _LEFT + (times_ns - request.start_ns) / span_ns * (WIDTH - _LEFT - _RIGHT)


def _draw_axes(draw: ImageDraw.ImageDraw, request: ChartRequest, low: float, high: float) -> None:
    font = ImageFont.load_default(11)
    for position in range(_GRID_LINES + 1):
        share = position / _GRID_LINES
        y = HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)
        draw.line(((_LEFT, y), (WIDTH - _RIGHT, y)), fill=_GRID if position else _AXIS)
        draw.text((_LEFT - 6, y), _number(low + share * (high - low)), fill=_TEXT, font=font, anchor="rm")
        time_ns = request.start_ns + round(share * (request.end_ns - request.start_ns))
        clock = datetime.fromtimestamp(time_ns / _NS, UTC).strftime("%H:%M")
        x = _LEFT + share * (WIDTH - _LEFT - _RIGHT)
        draw.text((x, HEIGHT - _BOTTOM + 8), clock, fill=_TEXT, font=font, anchor="ma")
    draw.text((WIDTH - _RIGHT, 10), "UTC", fill=_AXIS, font=font, anchor="ra")


def _draw_line(
    draw: ImageDraw.ImageDraw, request: ChartRequest, line: ChartLine, bounds: tuple[float, float], color: str
) -> None:
    low, high = bounds
    xs = _x(request, line.times_ns)
    ys = HEIGHT - _BOTTOM - (line.values - low) / (high - low) * (HEIGHT - _TOP - _BOTTOM)
    good = np.isfinite(ys) & (line.times_ns >= request.start_ns) & (line.times_ns <= request.end_ns)
    # Where values are missing the line has a gap.
    for part in np.split(np.arange(good.size), np.flatnonzero(~good)):
        inside = part[good[part]]
        points = list(zip(xs[inside].tolist(), ys[inside].tolist(), strict=True))
        if len(points) == 1:
            ((x, y),) = points
            draw.ellipse((x - 2, y - 2, x + 2, y + 2), fill=color)
        elif points:
            draw.line(points, fill=color, width=2, joint="curve")


def _number(value: float) -> str:
    size = abs(value)
    for unit, name in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if size >= unit and size < 1e15:
            return f"{value / unit:.3g}{name}"
    return text_number(float(f"{value:.3g}"))
