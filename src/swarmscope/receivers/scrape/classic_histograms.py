"""`convert_classic_histograms_to_nhcb`: classic histograms stored as native ones with custom buckets.

Source: https://prometheus.io/docs/specs/native_histograms/#schema (schema -53).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.metrics import CUSTOM_BUCKETS_SCHEMA
from swarmscope.receivers.scrape.exposition import NO_TIMESTAMP_MS, ExposedExemplars, Exposition
from swarmscope.receivers.scrape.histogram_limits import to_rows
from swarmscope.receivers.scrape.histogram_rows import HistogramRow, to_columns
from swarmscope.receivers.scrape.label_text import parse_series, series_text
from swarmscope.receivers.scrape.series_hash import hash_text


@dataclass(slots=True)
class _Group:
    """The rows of one classic histogram."""

    family: int
    text: bytes  # the series it becomes
    buckets: dict[float, int] = field(default_factory=dict)  # upper bound -> row
    sum_row: int = -1
    count_row: int = -1


@dataclass(frozen=True, slots=True)
class _Plan:
    """Which rows are parts of histograms; holds as long as the target exposes the same lines."""

    raw_key: NDArray[np.uint64]
    groups: list[_Group]
    part: NDArray[np.int64]  # [n_samples] the row's group, -1: not part of a histogram


class ClassicConverter:
    """Converts one target's histograms. Used by one thread at a time."""

    def __init__(self, keep_classic: bool) -> None:
        self._keep_classic = keep_classic
        self._plan: _Plan | None = None

    def convert(self, exposition: Exposition, seed: int) -> Exposition:
        """`exposition` with its classic histograms as native ones, the classic rows dropped unless they are kept."""
        if self._plan is None or not np.array_equal(self._plan.raw_key, exposition.key):
            self._plan = _make_plan(exposition)
        plan = self._plan
        if not plan.groups:
            return exposition
        rows = [_to_row(group, exposition) for group in plan.groups]
        made = [number for number, row in enumerate(rows) if row is not None]
        return _assemble(exposition, plan, made, [row for row in rows if row is not None], self._keep_classic, seed)


def _make_plan(exposition: Exposition) -> _Plan:
    n = exposition.n_samples
    part = np.full(n, -1, np.int64)
    groups: dict[bytes, int] = {}
    made: list[_Group] = []
    taken = {exposition.series_text(row) for row in range(n, len(exposition.key))}
    for row in range(n):
        family = int(exposition.family[row])
        if family < 0 or exposition.families[family].kind != "histogram":
            continue
        labels = parse_series(exposition.series_text(row))
        base = exposition.families[family].name
        suffix = labels["__name__"].removeprefix(base)
        bound = labels.pop("le", "") if suffix == "_bucket" else ""
        if suffix not in ("_bucket", "_sum", "_count"):
            continue
        text = series_text({**dict(sorted(labels.items())), "__name__": base})
        if text in taken:  # an exponential histogram says more and has the same name
            continue
        at = groups.setdefault(text, len(made))
        if at == len(made):
            made.append(_Group(family, text))
        _place(made[at], suffix, bound, row)
        part[row] = at
    return _Plan(exposition.key, made, part)


def _place(group: _Group, suffix: str, bound: str, row: int) -> None:
    if suffix == "_sum":
        group.sum_row = row
    elif suffix == "_count":
        group.count_row = row
    else:
        try:
            group.buckets[float(bound)] = row
        except ValueError:
            return


def _to_row(group: _Group, exposition: Exposition) -> HistogramRow | None:
    """The histogram, or None where it has no count or its buckets fall."""
    value = exposition.value
    bounds = sorted(bound for bound in group.buckets if not math.isnan(bound))
    cumulative = [float(value[group.buckets[bound]]) for bound in bounds]
    if group.count_row >= 0:
        count = float(value[group.count_row])
    elif bounds and math.isinf(bounds[-1]):
        count = cumulative[-1]
    else:
        return None
    if bounds and bounds[-1] == math.inf:
        bounds, cumulative = bounds[:-1], cumulative[:-1]
    counts = np.diff(np.array([0.0, *cumulative, count]))
    if not (counts >= 0).all():
        return None
    return HistogramRow(
        schema=CUSTOM_BUCKETS_SCHEMA,
        count=count,
        sum=float(value[group.sum_row]) if group.sum_row >= 0 else 0.0,
        is_float=any(not item.is_integer() for item in (*cumulative, count)),
        positive=[(index, population) for index, population in enumerate(counts.tolist()) if population],
        custom_bounds=bounds,
    )


def _assemble(
    exposition: Exposition, plan: _Plan, made: list[int], rows: list[HistogramRow], keep_classic: bool, seed: int
) -> Exposition:
    n, n_old = exposition.n_samples, len(exposition.histograms)
    converted = np.zeros(len(plan.groups) + 1, np.bool_)
    converted[made] = True
    # plan.part is -1 for other rows, and the last cell of `converted` is False for them.
    kept = np.flatnonzero(np.append(~converted[plan.part] | keep_classic, np.ones(n_old, np.bool_)))
    texts = [plan.groups[number].text for number in made]
    ends = np.cumsum([len(text) for text in texts], dtype=np.int64) + len(exposition.buffer)
    first_rows = [_any_row(plan.groups[number]) for number in made]
    n_kept = int(np.count_nonzero(kept < n))
    new_row = np.full(len(exposition.key), -1, np.int64)
    new_row[kept] = np.arange(len(kept))
    histogram_row = {number: len(kept) + at for at, number in enumerate(made)}
    return replace(
        exposition,
        buffer=np.concatenate((exposition.buffer, np.frombuffer(b"".join(texts), np.uint8))),
        key=np.append(exposition.key[kept], np.array([hash_text(text, seed) for text in texts], np.uint64)),
        series_start=np.append(exposition.series_start[kept], ends - [len(text) for text in texts]),
        series_end=np.append(exposition.series_end[kept], ends),
        family=np.append(exposition.family[kept], [plan.groups[number].family for number in made]).astype(np.int64),
        value=exposition.value[kept[:n_kept]],
        ts_ms=np.append(exposition.ts_ms[kept], exposition.ts_ms[first_rows]),
        histograms=to_columns([*to_rows(exposition.histograms), *rows]),
        exemplars=_move_exemplars(exposition.exemplars, plan, new_row, histogram_row),
    )


def _any_row(group: _Group) -> int:
    return group.count_row if group.count_row >= 0 else next(iter(group.buckets.values()))


def _move_exemplars(
    given: ExposedExemplars, plan: _Plan, new_row: NDArray[np.int64], histogram_row: dict[int, int]
) -> ExposedExemplars:
    """Exemplars of converted buckets go to their histogram; without a time of their own they cannot be told apart."""
    rows: list[int] = []
    for row, ts_ms in zip(given.row.tolist(), given.ts_ms.tolist(), strict=True):
        group = int(plan.part[row]) if row < len(plan.part) else -1
        owner = histogram_row.get(group)
        rows.append(int(new_row[row]) if owner is None else owner if ts_ms != NO_TIMESTAMP_MS else -1)
    target = np.array(rows, np.int64)
    kept = target >= 0
    return ExposedExemplars(
        target[kept], given.label_start[kept], given.label_end[kept], given.value[kept], given.ts_ms[kept]
    )
