"""Arithmetic in LogQL's templates. https://grafana.com/docs/loki/latest/query/template_functions/#mathematical-functions

Arguments are of any type: text is read as a number, and what is none counts as 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, DecimalException
from functools import reduce
from types import MappingProxyType

from swarmscope.lang.templates.errors import TemplateFailedError
from swarmscope.lang.templates.functions import Kind, TemplateFunction

_MIN, _SPAN = -(1 << 63), 1 << 64


def to_integer(value: object) -> int:
    """A value as a 64-bit integer: texts in Go's notation (`0x1f`), floats cut off, anything else 0."""
    if isinstance(value, str):
        try:
            if value[:1] == "0" and value[1:].isdigit():
                return int(value, 8)
            return _wrapped(int(value, 0))
        except ValueError:
            return 0
    if isinstance(value, float):
        return _wrapped(int(value)) if math.isfinite(value) else 0
    return _wrapped(int(value)) if isinstance(value, int) else 0


def to_float(value: object) -> float:
    """A value as a float, 0 where it is none."""
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return 0.0
    try:
        return float(value) if isinstance(value, int | float) else 0.0
    except OverflowError:
        return 0.0


def _wrapped(value: int) -> int:
    return (value - _MIN) % _SPAN + _MIN


def _div(a: object, b: object) -> int:
    dividend, divisor = to_integer(a), to_integer(b)
    if divisor == 0:
        raise TemplateFailedError("runtime error: integer divide by zero")
    quotient = abs(dividend) // abs(divisor)
    return _wrapped(quotient if (dividend < 0) == (divisor < 0) else -quotient)


def _mod(a: object, b: object) -> int:
    dividend, divisor = to_integer(a), to_integer(b)
    if divisor == 0:
        raise TemplateFailedError("runtime error: integer divide by zero")
    return dividend - divisor * _div(dividend, divisor)


def _add(*values: object) -> int:
    return _wrapped(sum(map(to_integer, values)))


def _mul(*values: object) -> int:
    return reduce(lambda a, b: _wrapped(a * b), map(to_integer, values))


def _decimal(combine: Callable[[Decimal, Decimal], Decimal]) -> Callable[..., float]:
    def run(*values: object) -> float:
        try:
            # Decimals, as the documented sums have them: 0.1 + 0.2 is 0.3.
            return float(reduce(combine, (Decimal(repr(to_float(value))) for value in values)))
        except (DecimalException, ValueError) as error:
            raise TemplateFailedError(f"decimal: {type(error).__name__}") from None

    return run


def _round(value: object, places: int, *threshold: float) -> float:
    number = to_float(value)
    if not math.isfinite(number) or abs(places) > 300:
        return number
    scaled = number * 10.0**places
    if not math.isfinite(scaled):
        return number
    fraction = math.modf(scaled)[0]
    return (
        math.ceil(scaled) if fraction >= (threshold[0] if threshold else 0.5) else math.floor(scaled)
    ) / 10.0**places


def _whole(cut: Callable[[float], int]) -> Callable[[object], float]:
    def run(value: object) -> float:
        number = to_float(value)
        return float(cut(number)) if math.isfinite(number) else number

    return run


_ONE = (Kind.ANY,)
_TWO = (Kind.ANY, Kind.ANY)

NUMBER_FUNCTIONS = MappingProxyType({
    "add": TemplateFunction(_add, (), Kind.ANY),
    "sub": TemplateFunction(lambda a, b: _wrapped(to_integer(a) - to_integer(b)), _TWO),
    "mul": TemplateFunction(_mul, _ONE, Kind.ANY),
    "div": TemplateFunction(_div, _TWO),
    "mod": TemplateFunction(_mod, _TWO),
    "addf": TemplateFunction(_decimal(lambda a, b: a + b), _ONE, Kind.ANY),
    "subf": TemplateFunction(_decimal(lambda a, b: a - b), _ONE, Kind.ANY),
    "mulf": TemplateFunction(_decimal(lambda a, b: a * b), _ONE, Kind.ANY),
    "divf": TemplateFunction(_decimal(lambda a, b: a / b), _ONE, Kind.ANY),
    "max": TemplateFunction(lambda *values: max(map(to_integer, values)), _ONE, Kind.ANY),
    "min": TemplateFunction(lambda *values: min(map(to_integer, values)), _ONE, Kind.ANY),
    "maxf": TemplateFunction(lambda *values: max(map(to_float, values)), _ONE, Kind.ANY),
    "minf": TemplateFunction(lambda *values: min(map(to_float, values)), _ONE, Kind.ANY),
    "ceil": TemplateFunction(_whole(math.ceil), _ONE),
    "floor": TemplateFunction(_whole(math.floor), _ONE),
    "round": TemplateFunction(_round, (Kind.ANY, Kind.INTEGER), Kind.FLOAT),
    "int": TemplateFunction(to_integer, _ONE),
    "float64": TemplateFunction(to_float, _ONE),
})  # fmt: skip
