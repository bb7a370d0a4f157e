"""Native histograms the slow way: dictionaries and exact fractions; only the bounds are the product's.

Counts are `Fraction`s, so sums have no rounding; their rounding is not in question here. The rules are read from
Prometheus' native histogram specification.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from swarmscope.model.metrics import Buckets, HistogramColumns
from swarmscope.query.histograms.bounds import exponential_bound

CUSTOM = -53


@dataclass
class Slow:
    schema: int = 0
    count: Fraction = Fraction(0)
    sum: Fraction = Fraction(0)
    zero_threshold: float = 0.0
    zero_count: Fraction = Fraction(0)
    pos: dict[int, Fraction] = field(default_factory=dict)
    neg: dict[int, Fraction] = field(default_factory=dict)
    custom: tuple[float, ...] = ()
    hint: int = 0

    def copy(self) -> Slow:
        return Slow(
            self.schema, self.count, self.sum, self.zero_threshold, self.zero_count,
            dict(self.pos), dict(self.neg), self.custom, self.hint,
        )  # fmt: skip

    def scaled(self, factor: Fraction) -> Slow:
        out = self.copy()
        out.count, out.sum, out.zero_count = self.count * factor, self.sum * factor, self.zero_count * factor
        out.pos = {i: c * factor for i, c in self.pos.items()}
        out.neg = {i: c * factor for i, c in self.neg.items()}
        return out


class IncompatibleError(Exception):
    pass


def bound(index: int, schema: int) -> float:
    """As Prometheus has it, which is not the correctly rounded power: test_rendering.py holds the bounds against it."""
    return float(exponential_bound.py_func(index, schema))


def coarser(h: Slow, schema: int) -> Slow:
    """Every bucket goes to the coarse bucket that contains its upper bound."""
    out = h.copy()
    out.schema = schema
    width = 2 ** (h.schema - schema)
    for side in ("pos", "neg"):
        merged: dict[int, Fraction] = {}
        for i, c in getattr(h, side).items():
            merged[-(-i // width)] = merged.get(-(-i // width), Fraction(0)) + c
        setattr(out, side, merged)
    return out


def widened(h: Slow, threshold: float) -> Slow:
    """The zero bucket up to `threshold`, or further to the end of a populated bucket that it would cut."""
    while True:
        cut = [
            bound(i, h.schema)
            for side in (h.pos, h.neg)
            for i, c in side.items()
            if c != 0 and bound(i - 1, h.schema) < threshold < bound(i, h.schema)
        ]
        if not cut:
            break
        threshold = max(cut)
    out = h.copy()
    out.zero_threshold = threshold
    for side in ("pos", "neg"):
        kept = {}
        for i, c in getattr(h, side).items():
            if bound(i - 1, h.schema) < threshold:
                out.zero_count += c
            else:
                kept[i] = c
        setattr(out, side, kept)
    return out


def rebound(h: Slow, bounds: tuple[float, ...]) -> Slow:
    """Custom buckets on fewer bounds."""
    out = h.copy()
    out.custom, out.pos = bounds, {}
    for i, c in h.pos.items():
        upper = h.custom[i] if i < len(h.custom) else float("inf")
        target = sum(1 for b in bounds if b < upper)
        out.pos[target] = out.pos.get(target, Fraction(0)) + c
    return out


def aligned(a: Slow, b: Slow) -> tuple[Slow, Slow]:
    if (a.schema == CUSTOM) != (b.schema == CUSTOM):
        raise IncompatibleError
    if a.schema == CUSTOM:
        if a.custom == b.custom:
            return a, b
        shared = tuple(sorted(set(a.custom) & set(b.custom)))
        return rebound(a, shared), rebound(b, shared)
    while a.zero_threshold != b.zero_threshold:
        if a.zero_threshold < b.zero_threshold:
            a = widened(a, b.zero_threshold)
        else:
            b = widened(b, a.zero_threshold)
    schema = min(a.schema, b.schema)
    return coarser(a, schema), coarser(b, schema)


def added(a: Slow, b: Slow) -> Slow:
    a, b = aligned(a, b)
    out = a.copy()
    out.count, out.sum, out.zero_count = a.count + b.count, a.sum + b.sum, a.zero_count + b.zero_count
    for side in ("pos", "neg"):
        total = getattr(out, side)
        for i, c in getattr(b, side).items():
            total[i] = total.get(i, Fraction(0)) + c
    return out


def began_anew(before: Slow, now: Slow) -> bool:
    if now.hint in (1, 2):
        return now.hint == 1
    if now.count < before.count:
        return True
    if (now.schema == CUSTOM) != (before.schema == CUSTOM):
        return True
    if now.schema == CUSTOM:
        before, now = aligned(before, now)
    else:
        if now.schema > before.schema or now.zero_threshold < before.zero_threshold:
            return True
        if before.zero_threshold < now.zero_threshold:
            before = widened(before, now.zero_threshold)
        if before.zero_threshold != now.zero_threshold:
            return True
        before = coarser(before, now.schema)
    return now.zero_count < before.zero_count or any(
        getattr(now, side).get(i, 0) < c for side in ("pos", "neg") for i, c in getattr(before, side).items()
    )


def equal(fast: Slow, slow: Slow, tolerance: float = 1e-9) -> bool:
    """Whether two agree up to rounding; empty buckets do not count."""

    def near(a: Fraction, b: Fraction) -> bool:
        return abs(float(a) - float(b)) <= tolerance * max(1.0, abs(float(a)), abs(float(b)))

    if (fast.schema, fast.custom, fast.zero_threshold) != (slow.schema, slow.custom, slow.zero_threshold):
        return False
    pairs = [(fast.count, slow.count), (fast.sum, slow.sum), (fast.zero_count, slow.zero_count)]
    for side in ("pos", "neg"):
        a, b = getattr(fast, side), getattr(slow, side)
        pairs += [(a.get(i, Fraction(0)), b.get(i, Fraction(0))) for i in a.keys() | b.keys()]
    return all(near(a, b) for a, b in pairs)


def to_columns(histograms: list[Slow], series: list[int] | None = None, ts_ms: list[int] | None = None):
    n = len(histograms)

    def buckets(side: str) -> Buckets:
        entries = [sorted(getattr(h, side).items()) for h in histograms]
        flat = [entry for one in entries for entry in one]
        offsets = np.cumsum([0, *map(len, entries)])
        return Buckets(
            offsets, np.array([i for i, _ in flat], np.int32), np.array([float(c) for _, c in flat], np.float64)
        )

    return HistogramColumns(
        np.array(series if series is not None else [0] * n, np.int64),
        np.array(ts_ms if ts_ms is not None else range(n), np.int64),
        np.array([h.schema for h in histograms], np.int8),
        np.array([h.hint for h in histograms], np.uint8),
        np.zeros(n, np.bool_),
        np.array([h.zero_threshold for h in histograms], np.float64),
        np.array([float(h.zero_count) for h in histograms], np.float64),
        np.array([float(h.count) for h in histograms], np.float64),
        np.array([float(h.sum) for h in histograms], np.float64),
        buckets("pos"),
        buckets("neg"),
        np.cumsum([0, *(len(h.custom) for h in histograms)]),
        np.array([b for h in histograms for b in h.custom], np.float64),
    )


def from_rows(rows, row: int) -> Slow:
    def side(offsets, index, count) -> dict[int, Fraction]:
        at = slice(offsets[row], offsets[row + 1])
        return {int(i): Fraction(float(c)) for i, c in zip(index[at], count[at], strict=True)}

    custom = rows.custom_bounds[rows.custom_offsets[row] : rows.custom_offsets[row + 1]]
    return Slow(
        int(rows.schema[row]),
        Fraction(float(rows.count[row])),
        Fraction(float(rows.sum[row])),
        float(rows.zero_threshold[row]),
        Fraction(float(rows.zero_count[row])),
        side(rows.pos_offsets, rows.pos_index, rows.pos_count),
        side(rows.neg_offsets, rows.neg_index, rows.neg_count),
        tuple(custom.tolist()),
        int(rows.reset_hint[row]),
    )


def random_histogram(rng: random.Random, *, custom: bool | None = None) -> Slow:
    """A histogram of any layout; a few schemas, thresholds and bounds, so that pairs differ now and then."""
    if custom if custom is not None else rng.random() < 0.3:
        bounds = tuple(sorted(rng.sample([0.5, 1.0, 2.0, 5.0, 10.0], rng.randint(0, 4))))
        pos = {i: Fraction(rng.randint(1, 50)) for i in range(len(bounds) + 1) if rng.random() < 0.8}
        return Slow(CUSTOM, sum(pos.values(), Fraction(0)), Fraction(rng.randint(0, 99)), pos=pos, custom=bounds)
    schema = rng.choice([-1, 0, 0, 0, 1, 3])
    sides = [{rng.randint(-6, 8): Fraction(rng.randint(1, 50)) for _ in range(rng.randint(0, 6))} for _ in range(2)]
    zero = Fraction(rng.randint(0, 9))
    count = sum((c for side in sides for c in side.values()), zero)
    threshold = rng.choice([0.0, 0.0, 0.001, 0.3, 0.5])
    whole = Slow(schema, count, Fraction(rng.randint(-50, 99)), 0.0, zero, *sides)
    return widened(whole, threshold) if threshold else whole


def grown(rng: random.Random, h: Slow) -> Slow:
    """The histogram after some more observations in buckets that it already has or that are new."""
    out = h.copy()
    for side in (out.pos, out.neg):
        for i in list(side):
            side[i] += rng.randint(0, 5)
    out.zero_count += rng.randint(0, 3) if h.schema != CUSTOM else 0
    out.sum += rng.randint(0, 20)
    total = sum((c for side in (out.pos, out.neg) for c in side.values()), out.zero_count)
    out.count = total
    return out
