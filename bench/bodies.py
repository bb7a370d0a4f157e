"""Remote-write 1.0 bodies, all encoded before a clock runs.

A slice of the series is encoded once as a protobuf WriteRequest with room for time and value; each round writes both
into place and compresses. Wire format: prometheus/prompb/remote.proto and types.proto; snappy's block format.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

import cramjam
import numpy as np
from numpy.typing import NDArray

from bench.fleet import SERIES_PER_POD, STEP_MS, FleetValues, Labels, series_labels

_LENGTH_DELIMITED = 2
# Unix milliseconds take six 7-bit groups until the year 2109.
_TIME_BYTES = 6
_VALUE_BYTES = 8
_SAMPLE_BYTES = 1 + _VALUE_BYTES + 1 + _TIME_BYTES


@dataclass(frozen=True, slots=True)
class Body:
    """One request."""

    payload: bytes
    n_samples: int


@dataclass(frozen=True, slots=True)
class Load:
    """A run's requests: `rounds[r][s]` is slice `s` of the series at time `first_ms + r * STEP_MS`."""

    rounds: list[list[Body]]
    n_series: int
    first_ms: int
    last_ms: int
    label_bytes: float

    @property
    def n_samples(self) -> int:
        """Samples of all rounds."""
        return self.n_series * len(self.rounds)

    @property
    def wire_bytes(self) -> int:
        """Compressed size of all bodies."""
        return sum(len(body.payload) for bodies in self.rounds for body in bodies)


def encode_varint(number: int) -> bytes:
    """Protobuf's base-128 varint of a number from 0."""
    groups = bytearray()
    while number > 127:
        groups.append(number & 127 | 128)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _field(number: int, payload: bytes) -> bytes:
    return encode_varint(number << 3 | _LENGTH_DELIMITED) + encode_varint(len(payload)) + payload


class SliceTemplate:
    """The encoded WriteRequest of some series, in which value and time of every sample can be replaced."""

    def __init__(self, series: Sequence[Labels]) -> None:
        room = _field(2, b"\x09" + bytes(_VALUE_BYTES) + b"\x10" + bytes(_TIME_BYTES))
        messages = [
            _field(1, b"".join(_field(1, _field(1, n.encode()) + _field(2, v.encode())) for n, v in labels) + room)
            for labels in series
        ]
        ends = np.cumsum([len(message) for message in messages])
        self._bytes = np.frombuffer(b"".join(messages), np.uint8).copy()
        values = ends - _SAMPLE_BYTES + 1
        self._value_at = (values[:, None] + np.arange(_VALUE_BYTES)).astype(np.int64)
        self._time_at = (values[:, None] + _VALUE_BYTES + 1 + np.arange(_TIME_BYTES)).astype(np.int64)

    def __len__(self) -> int:
        return len(self._value_at)

    def to_body(self, values: NDArray[np.float64], ts_ms: int) -> Body:
        """The compressed request with one sample a series; `values` [n_series]."""
        self._bytes[self._value_at] = np.ascontiguousarray(values).view(np.uint8).reshape(-1, _VALUE_BYTES)
        self._bytes[self._time_at] = np.frombuffer(encode_varint(ts_ms), np.uint8)
        return Body(bytes(cramjam.snappy.compress_raw(self._bytes.tobytes())), len(self))


def encode_load(n_series: int, n_rounds: int, batch: int, end_ms: int | None = None) -> Load:
    """Encode `n_rounds` rounds of `n_series` series (a multiple of 100), the last one at `end_ms` (now, if None)."""
    if n_series % SERIES_PER_POD or n_series <= 0:
        raise ValueError(f"the number of series must be a multiple of {SERIES_PER_POD}, not {n_series}")
    if end_ms is None:
        end_ms = int(time.time() * 1000)
    end_ms -= end_ms % STEP_MS
    n_pods = n_series // SERIES_PER_POD
    remaining = series_labels(n_pods)
    templates: list[SliceTemplate] = []
    label_bytes = 0
    while chunk := list(islice(remaining, batch)):
        label_bytes += sum(len(name) + len(value) for labels in chunk for name, value in labels)
        templates.append(SliceTemplate(chunk))
    values = FleetValues(n_pods)
    first_ms = end_ms - (n_rounds - 1) * STEP_MS
    rounds = []
    for number in range(n_rounds):
        current = values.next_round()
        ts_ms = first_ms + number * STEP_MS
        starts = range(0, n_series, batch)
        rounds.append([t.to_body(current[at : at + batch], ts_ms) for t, at in zip(templates, starts, strict=True)])
    return Load(rounds, n_series, first_ms, end_ms, label_bytes / n_series)
