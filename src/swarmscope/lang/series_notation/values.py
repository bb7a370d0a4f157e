"""Values of test scripts: floats, native histograms in `{{…}}` notation, and when two of them count as equal.

The notation is that of Prometheus' unit tests (docs/configuration/unit_testing_rules.md); the histogram arithmetic here
is written for reading, not for speed, and shares nothing with the engine's.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace

import numpy as np

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA, ResetHint
from swarmscope.model.staleness import STALE_BITS

_TOLERANCE = 1e-6
_SMALLEST_NORMAL = float(np.finfo(np.float64).smallest_normal)
_LARGEST = float(np.finfo(np.float64).max)
_HINTS = {
    "unknown": ResetHint.UNKNOWN,
    "reset": ResetHint.RESET,
    "not_reset": ResetHint.NO_RESET,
    "gauge": ResetHint.GAUGE,
}
_PROPERTY = re.compile(r"\s*([a-z_]+)\s*:\s*(\[[^\]]*\]|[^\s\[\]]+)\s*")
_LISTS = frozenset({"buckets", "n_buckets", "custom_values"})
_NUMBERS = frozenset({"schema", "sum", "count", "z_bucket", "z_bucket_w", "offset", "n_offset"})


@dataclass(frozen=True, slots=True)
class ScriptHistogram:
    """One native histogram; buckets by absolute index, empty ones left out. A hint of None was not given."""

    schema: int = 0
    count: float = 0.0
    sum: float = 0.0
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    positive: tuple[tuple[int, float], ...] = ()
    negative: tuple[tuple[int, float], ...] = ()
    custom: tuple[float, ...] = ()
    hint: ResetHint | None = None

    def plus(self, other: ScriptHistogram, sign: float = 1.0) -> ScriptHistogram:
        """The sum with (or without, sign -1) a histogram of the same layout. Raises ValueError on another layout."""
        if (self.schema, self.custom) != (other.schema, other.custom) or self.zero_threshold != other.zero_threshold:
            raise ValueError("the notation adds histograms of one schema, zero bucket width and custom values only")
        return replace(
            self,
            count=self.count + sign * other.count,
            sum=self.sum + sign * other.sum,
            zero_count=self.zero_count + sign * other.zero_count,
            positive=_merged(self.positive, other.positive, sign),
            negative=_merged(self.negative, other.negative, sign),
        )

    def __str__(self) -> str:
        parts = [f"schema:{self.schema}", f"count:{self.count:g}", f"sum:{self.sum:g}"]
        if self.zero_threshold or self.zero_count:
            parts.append(f"z_bucket:{self.zero_count:g} z_bucket_w:{self.zero_threshold:g}")
        if self.custom:
            parts.append(f"custom_values:[{' '.join(f'{bound:g}' for bound in self.custom)}]")
        if self.positive:
            parts.append("positive " + " ".join(f"{index}={count:g}" for index, count in self.positive))
        if self.negative:
            parts.append("negative " + " ".join(f"{index}={count:g}" for index, count in self.negative))
        if self.hint is not None:
            parts.append(f"counter_reset_hint:{next(name for name, hint in _HINTS.items() if hint == self.hint)}")
        return "{{" + " ".join(parts) + "}}"


Value = float | ScriptHistogram


def _merged(
    ours: tuple[tuple[int, float], ...], theirs: tuple[tuple[int, float], ...], sign: float
) -> tuple[tuple[int, float], ...]:
    counts = dict(ours)
    for index, count in theirs:
        counts[index] = counts.get(index, 0.0) + sign * count
    return tuple(sorted((index, count) for index, count in counts.items() if count != 0))


def parse_histogram(text: str) -> ScriptHistogram:
    """A literal such as `{{schema:0 sum:5 count:4 buckets:[1 2 1]}}`. Raises ValueError where it is malformed."""
    if not (text.startswith("{{") and text.endswith("}}")):
        raise ValueError(f"not a histogram: {text}")
    body, numbers, lists = text[2:-2], dict.fromkeys(_NUMBERS, 0.0), dict.fromkeys(_LISTS, ())
    values: dict[str, tuple[float, ...]] = dict(lists)
    hint: ResetHint | None = None
    at, seen = len(body) - len(body.lstrip()), set()
    while at < len(body):
        match = _PROPERTY.match(body, at)
        if match is None:
            raise ValueError(f"malformed histogram near {body[at:]!r}")
        name, value = match.groups()
        if name in seen:
            raise ValueError(f"{name} stands twice in a histogram")
        seen.add(name)
        if name in _LISTS and value.startswith("["):
            values[name] = tuple(parse_number(item) for item in value[1:-1].split())
        elif name in _NUMBERS and not value.startswith("["):
            numbers[name] = parse_number(value)
        elif name == "counter_reset_hint" and value in _HINTS:
            hint = _HINTS[value]
        else:
            raise ValueError(f"unknown histogram property {name}:{value}")
        at = match.end()
    return ScriptHistogram(
        int(numbers["schema"]), numbers["count"], numbers["sum"], numbers["z_bucket_w"], numbers["z_bucket"],
        _buckets(values["buckets"], numbers["offset"]), _buckets(values["n_buckets"], numbers["n_offset"]),
        values["custom_values"], hint,
    )  # fmt: skip


def _buckets(counts: tuple[float, ...], offset: float) -> tuple[tuple[int, float], ...]:
    return tuple((int(offset) + k, count) for k, count in enumerate(counts) if count != 0)


def parse_number(text: str) -> float:
    """A float of the notation. Raises ValueError for what Python would take and Prometheus would not."""
    if "_" in text or text.lower().lstrip("+-") == "infinity":
        raise ValueError(f"not a number: {text}")
    return float(text)


def is_stale_value(value: float) -> bool:
    """Whether a float is the staleness marker, by its bits."""
    return int(np.float64(value).view(np.uint64)) == STALE_BITS


def nearly_equal(expected: float, actual: float) -> bool:
    """Equality of floats in scripts: a relative 1e-6, NaN equals NaN, a staleness marker only its like."""
    if is_stale_value(expected) or is_stale_value(actual):
        return is_stale_value(expected) and is_stale_value(actual)
    if math.isnan(expected) and math.isnan(actual):
        return True
    if expected == actual:
        return True
    sizes, difference = abs(expected) + abs(actual), abs(expected - actual)
    if expected == 0 or actual == 0 or sizes < _SMALLEST_NORMAL:
        return difference < _TOLERANCE * _SMALLEST_NORMAL
    return difference / min(sizes, _LARGEST) < _TOLERANCE


def same_value(expected: Value, actual: Value) -> bool:
    """Equality of script values; a histogram's counter reset hint counts only where the expectation gives one."""
    if isinstance(expected, ScriptHistogram) != isinstance(actual, ScriptHistogram):
        return False
    if not isinstance(expected, ScriptHistogram) or not isinstance(actual, ScriptHistogram):
        return nearly_equal(float(expected), float(actual))  # type: ignore[arg-type]  # both are floats here
    if expected.hint is not None and expected.hint != actual.hint:
        return False
    exact = (
        expected.schema == actual.schema
        and expected.zero_threshold == actual.zero_threshold
        and (expected.schema != CUSTOM_BUCKETS_SCHEMA or expected.custom == actual.custom)
    )
    return (
        exact
        and nearly_equal(expected.count, actual.count)
        and nearly_equal(expected.sum, actual.sum)
        and nearly_equal(expected.zero_count, actual.zero_count)
        and _same_buckets(expected.positive, actual.positive)
        and _same_buckets(expected.negative, actual.negative)
    )


def _same_buckets(expected: tuple[tuple[int, float], ...], actual: tuple[tuple[int, float], ...]) -> bool:
    return len(expected) == len(actual) and all(
        index == other and nearly_equal(count, other_count)
        for (index, count), (other, other_count) in zip(expected, actual, strict=True)
    )
