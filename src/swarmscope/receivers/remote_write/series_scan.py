"""A request's series in columns: the Python face of the compiled walks, for both versions."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.errors import LimitExceededError, MalformedInputError
from swarmscope.receivers.remote_write.series_kernel import (
    N_SAMPLES,
    N_SERIES,
    Notes,
    SampleArrays,
    SeriesArrays,
    walk_write_request,
)
from swarmscope.receivers.remote_write.symbol_kernel import (
    SeriesDetails,
    SymbolArrays,
    SymbolRequest,
    walk_request,
    walk_symbol_series,
)
from swarmscope.receivers.wire.key_hash import derive_secrets
from swarmscope.receivers.wire.scanner import FAULT_TEXTS

PLACES = ("the request", "TimeSeries", "Sample", "Metadata")

# Purposes of the key hash: version 1 hashes labels as they stand on the wire, version 2 strings.
_RAW_LABELS, _SYMBOLS = 1, 2

# First guesses at what a body of n bytes holds; typical series of one sample take 100 to 300 bytes, in version 2 half
# as much. A wrong guess costs a second walk.
_SERIES_BYTES, _SAMPLE_BYTES, _SYMBOL_BYTES = 64, 32, 24
_SPARE_ROWS = 16


@dataclass(frozen=True, slots=True)
class RequestBounds:
    """What one request may hold, whatever its size: an empty series takes two bytes and, decoded, a hundred.

    The defaults are above what honest senders fit into the largest body that is taken.
    """

    max_series: int = 500_000
    max_samples: int = 5_000_000
    max_symbols: int = 2_000_000

    def check(self, name: str, count: int) -> None:
        """Raise LimitExceededError (`too_large`) where there are more than the bound called `name`."""
        bound = int(getattr(self, name))
        if count > bound:
            what = name.removeprefix("max_")
            raise LimitExceededError(
                f"one request holds {count} {what}, more than {bound}", limit=f"remote_write.{name}", too_large=True
            )


DEFAULT_BOUNDS = RequestBounds()


@dataclass(slots=True)
class SeriesScan:
    """Series and float samples of one request, still undecoded. `symbols` and `details` are version 2's."""

    body: NDArray[np.uint8]
    series: SeriesArrays
    samples: SampleArrays
    counts: NDArray[np.int64]  # [5] series, samples, exemplars, histograms, metadata
    symbols: SymbolArrays | None = None
    details: SeriesDetails | None = None


@lru_cache(maxsize=16)
def _secrets(seed: int, purpose: int) -> NDArray[np.uint64]:
    return derive_secrets(seed, purpose)


def scan_write_request(body: NDArray[np.uint8], seed: int, bounds: RequestBounds) -> SeriesScan:
    """Walk a version 1 request. Raises MalformedInputError, and LimitExceededError beyond the bounds."""
    rows = (len(body) // _SERIES_BYTES + _SPARE_ROWS, len(body) // _SAMPLE_BYTES + _SPARE_ROWS)
    while True:
        series, samples, notes = _series_arrays(rows[0]), _sample_arrays(rows[1]), _notes()
        if not walk_write_request(body, _secrets(seed, _RAW_LABELS), series, samples, notes):
            raise _to_error(notes)
        n_series, n_samples = int(notes.counts[N_SERIES]), int(notes.counts[N_SAMPLES])
        bounds.check("max_series", n_series)
        bounds.check("max_samples", n_samples)
        if n_series <= rows[0] and n_samples <= rows[1]:
            return SeriesScan(body, _cut_series(series, n_series), _cut_samples(samples, n_samples), notes.counts)
        rows = (n_series, n_samples)


def scan_symbol_request(body: NDArray[np.uint8], seed: int, bounds: RequestBounds) -> SeriesScan:
    """Walk a version 2 request. Raises MalformedInputError, and LimitExceededError beyond the bounds."""
    secrets = _secrets(seed, _SYMBOLS)
    symbols, series = _scan_outer_level(body, secrets, bounds)
    n_series = len(series.key)
    rows = len(body) // _SAMPLE_BYTES + _SPARE_ROWS
    while True:
        samples, notes, details = _sample_arrays(rows), _notes(), _details(n_series)
        if not walk_symbol_series(body, secrets, SymbolRequest(symbols, series, details, samples, notes)):
            raise _to_error(notes)
        notes.counts[N_SERIES] = n_series
        n_samples = int(notes.counts[N_SAMPLES])
        bounds.check("max_samples", n_samples)
        if n_samples <= rows:
            return SeriesScan(body, series, _cut_samples(samples, n_samples), notes.counts, symbols, details)
        rows = n_samples


def _scan_outer_level(
    body: NDArray[np.uint8], secrets: NDArray[np.uint64], bounds: RequestBounds
) -> tuple[SymbolArrays, SeriesArrays]:
    rows = (len(body) // _SYMBOL_BYTES + _SPARE_ROWS, len(body) // _SERIES_BYTES + _SPARE_ROWS)
    while True:
        symbols = SymbolArrays(np.empty(rows[0], np.int64), np.empty(rows[0], np.int64), np.empty(rows[0], np.uint64))
        series, notes = _series_arrays(rows[1]), _notes()
        n_symbols = int(walk_request(body, secrets, symbols, series, notes))
        if n_symbols < 0:
            raise _to_error(notes)
        n_series = int(notes.counts[N_SERIES])
        bounds.check("max_symbols", n_symbols)
        bounds.check("max_series", n_series)
        if n_symbols <= rows[0] and n_series <= rows[1]:
            return _cut_symbols(symbols, n_symbols), _cut_series(series, n_series)
        rows = (n_symbols, n_series)


def _series_arrays(n: int) -> SeriesArrays:
    return SeriesArrays(np.empty(n, np.uint64), np.empty(n, np.int64), np.empty(n, np.int64))


def _sample_arrays(n: int) -> SampleArrays:
    return SampleArrays(np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.int64), np.empty(n, np.float64))


def _details(n: int) -> SeriesDetails:
    zeros = np.zeros((5, n), np.int64)
    return SeriesDetails(zeros[0], np.full(n, -1, np.int64), zeros[1], zeros[2], zeros[3], zeros[4])


def _notes() -> Notes:
    return Notes(np.zeros(5, np.int64), np.zeros(4, np.int64))


def _cut_symbols(symbols: SymbolArrays, n: int) -> SymbolArrays:
    return SymbolArrays(symbols.start[:n], symbols.length[:n], symbols.hash[:n])


def _cut_series(series: SeriesArrays, n: int) -> SeriesArrays:
    return SeriesArrays(series.key[:n], series.start[:n], series.end[:n])


def _cut_samples(samples: SampleArrays, n: int) -> SampleArrays:
    return SampleArrays(samples.series[:n], samples.ts_ms[:n], samples.start_ms[:n], samples.value[:n])


def _to_error(notes: Notes) -> MalformedInputError:
    fault, place, number, offset = notes.fault.tolist()
    field = f", field {number}," if number else ""
    return MalformedInputError(f"{PLACES[place]}{field} at byte {offset}: {FAULT_TEXTS[fault]}")
