"""Numbers as Go writes them, which is how Prometheus does.

Source: Go's strconv.FormatFloat with the shortest digits that read back the same: format 'g' has an exponent of two
digits at least, below 1e-4 and from 1e6 on (the precision that decides is 6 when digits are the shortest);
Prometheus' JSON has one below 1e-6 and from 1e21 on.
"""

from __future__ import annotations

import math


def _special(value: float) -> str | None:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return None


def json_number(value: float) -> str:
    """A float as Prometheus' JSON has it: shortest digits, an exponent (`1e-07`) only below 1e-6 and from 1e21 on."""
    special = _special(value)
    if special is not None:
        return special
    size = abs(value)
    if size != 0 and (size < 1e-6 or size >= 1e21):
        return _with_exponent(value)
    return _plain(value)


def text_number(value: float) -> str:
    """A float as Go's `%g` and `%v` have it: shortest digits, an exponent below 1e-4 and from 1e6 on (`1e+06`)."""
    special = _special(value)
    if special is not None:
        return special
    size = abs(value)
    if size != 0 and (size < 1e-4 or size >= 1e6):
        return _with_exponent(value)
    return _plain(value)


def _digits(value: float) -> tuple[str, str, int]:
    """Sign, shortest significant digits, and the decimal exponent of the first digit."""
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    joined = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0)
    leading = len(whole + fraction) - len(joined)
    return sign, joined.rstrip("0") or "0", point - leading - 1


def _plain(value: float) -> str:
    if value == 0:
        return "-0" if math.copysign(1.0, value) < 0 else "0"
    sign, digits, exponent = _digits(value)
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    fraction = digits[exponent + 1 :]
    return f"{sign}{whole}.{fraction}" if fraction else sign + whole


def _with_exponent(value: float) -> str:
    sign, digits, exponent = _digits(value)
    mantissa = digits[0] + (f".{digits[1:]}" if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
