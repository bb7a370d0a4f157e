"""Scalars of Prometheus' configuration language: durations, byte sizes, and YAML scalars read as Go reads them.

The loader keeps YAML scalars as their source text (`replacement: 1.10` stays "1.10", as in Go); the types here turn
text into numbers and booleans. Values that come from a Python mapping may already have their type.
Source: https://prometheus.io/docs/prometheus/latest/configuration/configuration/
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from swarmscope.model.durations import parse_duration_ms

_SIZE = re.compile(r"(\d+(?:\.\d+)?)(B|[KMGTPE]B|[KMGTPE]iB)", re.ASCII | re.IGNORECASE)
_SIZE_EXPONENT = {letter: power for power, letter in enumerate("KMGTPE", start=1)}
_TRUE = frozenset({"true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"})
_FALSE = frozenset({"false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"})


def parse_size_bytes(text: str) -> int:
    """Bytes of a size ("512KB", "1.5GiB"; KB counts 1024 as in Prometheus); raises ValueError."""
    if text == "0":
        return 0
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError("is not a size; allowed: a number with B, KB, MB, GB, TB, PB or EB, as in 10MB")
    power = _SIZE_EXPONENT.get(match[2][0].upper(), 0)
    return int(float(match[1]) * 1024**power)


def _duration(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value == 0:
        return 0
    if not isinstance(value, str):
        raise ValueError("is not a duration; allowed: text such as 15s or 1m30s")
    return parse_duration_ms(value)


def _size(value: Any) -> Any:
    if isinstance(value, int) and not isinstance(value, bool) and value == 0:
        return 0
    if not isinstance(value, str):
        raise ValueError("is not a size; allowed: text such as 10MB")
    return parse_size_bytes(value)


def _boolean(value: Any) -> Any:
    if isinstance(value, str):
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
    if not isinstance(value, bool):
        raise ValueError("is not a boolean; allowed: true, false")
    return value


def _count(value: Any) -> Any:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**64:
        raise ValueError("is not a count; allowed: a whole number, 0 or more")
    return value


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ValueError("is not a number; allowed: a decimal number") from None


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _listed(value: Any) -> Any:
    return [] if value in (None, "") else value


def _mapped(value: Any) -> Any:
    return {} if value in (None, "") else value


DurationMs = Annotated[int, BeforeValidator(_duration)]
SizeBytes = Annotated[int, BeforeValidator(_size)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
Count = Annotated[int, BeforeValidator(_count)]
Number = Annotated[float, BeforeValidator(_number)]
Text = Annotated[str, BeforeValidator(_text)]
# An empty YAML value stands for an empty list or mapping, as in Go.
EMPTY_IS_LIST = BeforeValidator(_listed)
EMPTY_IS_MAP = BeforeValidator(_mapped)
