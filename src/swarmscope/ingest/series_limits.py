"""Which of a batch's unknown series may come in: their labels' shape, and how many there already are.

Known series are not looked at: they have been let in before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.model.labels import LabelSets

_NAME_BYTES = np.frombuffer(b"__name__", np.uint8).copy()


@dataclass(frozen=True, slots=True)
class SeriesLimits:
    """Limits of one tenant, and `max_total_series` of all together; 0 means no limit."""

    max_active_series: int = 0
    max_series_per_metric: int = 0
    max_label_names: int = 0
    max_label_name_bytes: int = 0
    max_label_value_bytes: int = 0
    max_total_series: int = 0


class SeriesCounts(Protocol):
    """What the limits ask the catalogue. Cheap enough to ask per request, thread-safe."""

    def active_total(self, tenant: str | None = None) -> int:
        """Active series of a tenant, or of all."""
        ...

    def active_of_metric(self, tenant: str, metric: str) -> int:
        """Active series of one metric of a tenant."""
        ...


class Verdict(IntEnum):
    """Why a series stays out. The order is that of the checks: the first that fails counts."""

    ADMITTED = 0
    LABEL_NAMES = 1
    LABEL_NAME_BYTES = 2
    LABEL_VALUE_BYTES = 3
    SERIES_PER_METRIC = 4
    ACTIVE_SERIES = 5
    TOTAL_SERIES = 6

    @property
    def setting(self) -> str:
        """The limit's name in the settings."""
        return f"limits.{_FIELDS[self]}"

    @property
    def is_retryable(self) -> bool:
        """Whether the same series may be let in later, without being changed."""
        return self >= Verdict.SERIES_PER_METRIC

    def value_in(self, limits: SeriesLimits) -> int:
        """The limit's value."""
        return int(getattr(limits, _FIELDS[self]))


_FIELDS = {
    Verdict.LABEL_NAMES: "max_label_names",
    Verdict.LABEL_NAME_BYTES: "max_label_name_bytes",
    Verdict.LABEL_VALUE_BYTES: "max_label_value_bytes",
    Verdict.SERIES_PER_METRIC: "max_series_per_metric",
    Verdict.ACTIVE_SERIES: "max_active_series",
    Verdict.TOTAL_SERIES: "max_total_series",
}


def _mark_long(
    verdicts: NDArray[np.int8], labels: LabelSets, lengths: NDArray[np.int64], max_bytes: int, verdict: Verdict
) -> None:
    """Give `verdict` to admitted sets that own a string longer than `max_bytes`."""
    if not max_bytes or not len(lengths) or lengths.max() <= max_bytes:
        return
    pairs = np.flatnonzero(lengths > max_bytes)
    owners = np.searchsorted(labels.offsets, pairs, side="right") - 1
    verdicts[owners[verdicts[owners] == Verdict.ADMITTED]] = verdict


def judge_shape(labels: LabelSets, limits: SeriesLimits) -> NDArray[np.int8]:
    """Verdicts [n_sets] on number and length of labels. Cost: a few passes over the pairs' lengths."""
    verdicts = np.zeros(len(labels), np.int8)
    if limits.max_label_names:
        verdicts[np.diff(labels.offsets) > limits.max_label_names] = Verdict.LABEL_NAMES
    _mark_long(verdicts, labels, labels.names.length, limits.max_label_name_bytes, Verdict.LABEL_NAME_BYTES)
    _mark_long(verdicts, labels, labels.values.length, limits.max_label_value_bytes, Verdict.LABEL_VALUE_BYTES)
    return verdicts


@njit(nogil=True, cache=True)
def _find_metrics(
    offsets: NDArray[np.int64],
    name_buffer: NDArray[np.uint8],
    name_start: NDArray[np.int64],
    name_length: NDArray[np.int64],
    wanted: NDArray[np.uint8],
) -> NDArray[np.int64]:
    """The pair [n_sets] that holds each set's metric name, -1 where there is none."""
    pairs = np.full(len(offsets) - 1, -1, np.int64)
    for index in range(len(pairs)):
        for pair in range(offsets[index], offsets[index + 1]):
            if name_length[pair] != len(wanted):
                continue
            start = name_start[pair]
            same = True
            for place in range(len(wanted)):
                if name_buffer[start + place] != wanted[place]:
                    same = False
                    break
            if same:
                pairs[index] = pair
                break
    return pairs


@njit(nogil=True, cache=True)
def _hash_values(
    pairs: NDArray[np.int64], buffer: NDArray[np.uint8], start: NDArray[np.int64], length: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """FNV-1a [n] of the value of each pair, 0 where the pair is -1. http://www.isthe.com/chongo/tech/comp/fnv/."""
    hashes = np.zeros(len(pairs), np.uint64)
    for index in range(len(pairs)):
        pair = pairs[index]
        if pair < 0:
            continue
        value = np.uint64(0xCBF29CE484222325)
        for place in range(start[pair], start[pair] + length[pair]):
            value = (value ^ np.uint64(buffer[place])) * np.uint64(0x100000001B3)
        hashes[index] = value
    return hashes


@dataclass(frozen=True, slots=True)
class MetricGroups:
    """The metrics that n label sets belong to. Sets without a name form a metric called ""."""

    names: list[str]  # [n_metrics]
    member: NDArray[np.int64]  # [n] index into `names`


def group_by_metric(labels: LabelSets) -> MetricGroups:
    """Group label sets by metric name. Forged hash collisions merge groups: the limit then bites earlier."""
    names, values = labels.names, labels.values
    pairs = _find_metrics(labels.offsets, names.buffer, names.start, names.length, _NAME_BYTES)
    hashes = _hash_values(pairs, values.buffer, values.start, values.length)
    _, first, member = np.unique(hashes, return_index=True, return_inverse=True)
    found = pairs[first].tolist()
    texts = [
        values.buffer[values.start[p] : values.start[p] + values.length[p]].tobytes() if p >= 0 else b"" for p in found
    ]
    return MetricGroups([text.decode("utf-8", "replace") for text in texts], member.astype(np.int64))


def refuse_surplus(verdicts: NDArray[np.int8], members: NDArray[np.int64], room: int, verdict: Verdict) -> None:
    """Of the sets `members`, admit the first `room` that are admitted so far; the others get `verdict`."""
    admitted = members[verdicts[members] == Verdict.ADMITTED]
    verdicts[admitted[max(room, 0) :]] = verdict


def warm_up() -> None:
    """Compile the kernels, or load them from the cache."""
    group_by_metric(LabelSets.from_dicts([{"__name__": "up"}]))
