"""Binary operators on plain arrays of floats."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import COMPARISONS

_Floats = NDArray[np.float64]
_Operator = Callable[[_Floats, _Floats], NDArray[np.float64]]
_Comparison = Callable[[_Floats, _Floats], NDArray[np.bool_]]

ARITHMETIC: dict[str, _Operator] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": np.divide,
    "%": np.fmod,
    "^": np.power,
    "atan2": np.arctan2,
}
COMPARE: dict[str, _Comparison] = {
    "==": np.equal,
    "!=": np.not_equal,
    ">": np.greater,
    "<": np.less,
    ">=": np.greater_equal,
    "<=": np.less_equal,
}


def apply_operator(op: str, lhs: _Floats, rhs: _Floats, return_bool: bool) -> tuple[_Floats, NDArray[np.bool_] | None]:
    """(values, which cells stay or None for all). A comparison without `bool` gives the left value."""
    with np.errstate(all="ignore"):
        if op not in COMPARISONS:
            return ARITHMETIC[op](lhs, rhs), None
        holds = COMPARE[op](lhs, rhs)
    if return_bool:
        return holds.astype(np.float64), None
    return lhs, holds
