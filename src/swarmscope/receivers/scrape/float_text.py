"""How `le` and `quantile` values are spelled, so that "1", "1.0" and "1e0" are one bucket."""

from __future__ import annotations

import math


def format_bound(number: float) -> str:
    """OpenMetrics' canonical spelling as Prometheus writes it: shortest digits, always with a point or an exponent.

    Source: OpenMetrics 1.0, "Considerations: Canonical Numbers". The exponent form is used below 1e-4 and from 1e6 on,
    as Go's strconv does for 'g' with the shortest precision.
    """
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "+Inf" if number > 0 else "-Inf"
    sign = "-" if math.copysign(1.0, number) < 0 else ""
    digits, exponent = _shortest(abs(number))
    if exponent < -4 or exponent >= 6:
        fraction = f".{digits[1:]}" if len(digits) > 1 else ""
        return f"{sign}{digits[0]}{fraction}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"
    if exponent < 0:
        return f"{sign}0.{'0' * (-exponent - 1)}{digits}"
    whole = digits[: exponent + 1].ljust(exponent + 1, "0")
    return f"{sign}{whole}.{digits[exponent + 1 :] or '0'}"


def _shortest(number: float) -> tuple[str, int]:
    """The shortest decimal digits that read back as `number`, and the power of ten of the first one."""
    if number == 0:
        return "0", 0
    mantissa, exponent = f"{number!r}".split("e") if "e" in repr(number) else (repr(number), "0")
    whole, _, fraction = mantissa.partition(".")
    raw = whole + fraction
    leading = len(raw) - len(raw.lstrip("0"))
    digits = raw.strip("0") or "0"
    return digits, int(exponent) + len(whole) - 1 - leading


def normalise_bound(text: str) -> str:
    """`text` in canonical spelling, or as it is where it is no number."""
    try:
        return format_bound(float(text))
    except ValueError:
        return text
