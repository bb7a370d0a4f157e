"""Functions of one sample at a time; histograms drop out, the metric's name is lost."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from swarmscope.query.promql.frames import Frame
from swarmscope.query.promql.same_labels import drop_metric_name
from swarmscope.query.promql.selectors import without_empty_series

_Floats = NDArray[np.float64]


def _sign(v: _Floats) -> _Floats:
    return np.where(v < 0, -1.0, np.where(v > 0, 1.0, v))


def _degrees(v: _Floats) -> _Floats:
    return v * 180 / math.pi


def _radians(v: _Floats) -> _Floats:
    return v * math.pi / 180


PLAIN: dict[str, Callable[[_Floats], _Floats]] = {
    "abs": np.abs,
    "acos": np.arccos,
    "acosh": np.arccosh,
    "asin": np.arcsin,
    "asinh": np.arcsinh,
    "atan": np.arctan,
    "atanh": np.arctanh,
    "ceil": np.ceil,
    "cos": np.cos,
    "cosh": np.cosh,
    "deg": _degrees,
    "exp": np.exp,
    "floor": np.floor,
    "ln": np.log,
    "log10": np.log10,
    "log2": np.log2,
    "rad": _radians,
    "sgn": _sign,
    "sin": np.sin,
    "sinh": np.sinh,
    "sqrt": np.sqrt,
    "tan": np.tan,
    "tanh": np.tanh,
}
LIMITS = frozenset({"clamp", "clamp_max", "clamp_min"})


def run_elementwise(name: str, frame: Frame, scalars: Sequence[_Floats]) -> Frame:
    """abs, sin, round, clamp … over every float of a vector; `scalars` [n_steps] each."""
    present = frame.floats_present()
    with np.errstate(all="ignore"):
        if name in PLAIN:
            values = PLAIN[name](frame.values)
        elif name == "round":
            inverse = 1.0 / (scalars[0] if scalars else np.ones(1))
            values = np.floor(frame.values * inverse + 0.5) / inverse
        else:
            values, allowed = _clamp(name, frame.values, scalars)
            present = present & allowed
    return finish_floats(frame, values, present)


def finish_floats(frame: Frame, values: _Floats, present: NDArray[np.bool_]) -> Frame:
    """New values for a frame's series, their metric's name gone."""
    return without_empty_series(drop_metric_name(Frame(frame.labels, np.ascontiguousarray(values), present)))


def _clamp(name: str, values: _Floats, scalars: Sequence[_Floats]) -> tuple[_Floats, NDArray[np.bool_]]:
    """(limited values, steps at which the limits make sense). Infinite limits win against NaN, as in Go."""
    low = np.full(1, -math.inf) if name == "clamp_max" else scalars[0]
    high = np.full(1, math.inf) if name == "clamp_min" else scalars[-1]
    limited = np.where(high == -math.inf, -math.inf, np.minimum(high, values))
    limited = np.where(low == math.inf, math.inf, np.maximum(low, limited))
    return limited, ~(high < low)
