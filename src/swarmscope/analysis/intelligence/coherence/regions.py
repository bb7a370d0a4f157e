"""Coherence of a fleet's regions: every pair in every band, against shifts in a circle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.coherence.modularity import modularity
from swarmscope.analysis.intelligence.coherence.welch import (
    LEAST_SEGMENTS,
    Segmenting,
    coherence,
    default_segmenting,
    prepared,
    without_bias,
)
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.estimate import SIGNIFICANCE_LEVEL, Estimate, refused
from swarmscope.analysis.intelligence.statistics.false_discovery import benjamini_hochberg
from swarmscope.analysis.intelligence.statistics.null_tails import null_p_values
from swarmscope.analysis.intelligence.statistics.surrogates import circular_shifts, surrogate_p

ESTIMATOR = "welch_msc"

Floats = NDArray[np.float64]


class Band(NamedTuple):
    """Frequencies from `low` up to and with `high`, in cycles per bin: 0.5 is the fastest that bins can show."""

    name: str
    low: float
    high: float


ALL_FREQUENCIES = (Band("all", 0.0, 0.5),)


@dataclass(frozen=True)
class CoherenceOptions:
    """How coherence is measured."""

    bands: tuple[Band, ...] = ALL_FREQUENCIES
    segmenting: Segmenting | None = None
    """None: 16 or more segments that overlap by half."""
    n_shifts: int = 199
    false_discovery_rate: float = 0.05
    seed: int = 0
    bin_ns: int = 0
    """Only told in results."""


class PairEstimates(NamedTuple):
    """All pairs of regions in all bands; arrays [n_bands, n, n], symmetric."""

    raw: Floats
    """Mean γ² over the band; 1 on the diagonal."""
    corrected: Floats
    """Without what chance shows, 0 to 1; 1 on the diagonal."""
    p_value: Floats
    """1 on the diagonal."""
    significant: NDArray[np.bool_]
    """After correction for all pairs and bands; false on the diagonal."""


@dataclass(frozen=True)
class RegionCoherence:
    """What was found of some regions. `estimates` has one valid entry a band, or the reason why there is nothing."""

    names: tuple[str, ...]
    """The regions that were measured."""
    bands: tuple[Band, ...]
    pairs: PairEstimates
    estimates: tuple[Estimate, ...]
    """[n_bands] the mean over all pairs; Q and communities (of significant edges) in `extra`."""
    modularity: tuple[float, ...] = ()
    communities: tuple[tuple[int, ...], ...] = ()
    n_segments: int = 0

    def of_regions(self) -> Floats:
        """Return each region's mean corrected coherence [n_bands, n] with the others, 0 where not significant."""
        told = np.where(self.pairs.significant, self.pairs.corrected, 0.0)
        return np.asarray(told.sum(axis=2) / max(len(self.names) - 1, 1))


def measure_coherence(
    x: NDArray[np.generic], names: Sequence[str], options: CoherenceOptions | None = None
) -> RegionCoherence:
    """Return the coherence of the regions' signals [n_bins, n] (events or busy share by bin).

    Constant regions are left out and named. Fewer than two others, or fewer than 8 segments, give no value and the
    reason. Raises ModelError for values that are not finite, wrong shapes and bands without a frequency.
    """
    chosen = options or CoherenceOptions()
    signals = np.asarray(x, np.float64)
    if signals.ndim != 2 or signals.shape[1] != len(names):
        raise ModelError(f"signals of shape {list(signals.shape)} and {len(names)} names")
    constant = np.ptp(signals, axis=0) == 0 if len(signals) else np.ones(len(names), np.bool_)
    kept = tuple(name for name, left_out in zip(names, constant, strict=True) if not left_out)
    dropped = [name for name, left_out in zip(names, constant, strict=True) if left_out]
    if len(kept) < 2:
        return _nothing(kept, chosen, len(signals), f"too_few_regions: {len(kept)} that are not constant")
    cut = chosen.segmenting or default_segmenting(len(signals))
    n_segments = (len(signals) - cut.n_bins) // cut.step + 1
    if n_segments < LEAST_SEGMENTS:
        return _nothing(kept, chosen, len(signals), f"too_few_segments: {max(n_segments, 0)} of {LEAST_SEGMENTS}")
    ready = prepared(signals[:, ~constant])
    raw = _by_band(ready, cut, chosen.bands)
    null = np.stack(
        [
            _by_band(circular_shifts(ready, 1, chosen.seed + 1 + shift)[0], cut, chosen.bands)
            for shift in range(chosen.n_shifts)
        ]
    )
    pairs = _against_null(raw, null, chosen.false_discovery_rate)
    parts = [modularity(np.where(held, c, 0.0)) for held, c in zip(pairs.significant, pairs.corrected, strict=True)]
    told = [{"modularity": q, "communities": who.tolist(), "constant_regions": dropped} for q, who in parts]
    return RegionCoherence(
        names=kept,
        bands=chosen.bands,
        pairs=pairs,
        estimates=tuple(
            _whole(raw[band], null[:, band], chosen, (len(signals), told[band])) for band in range(len(chosen.bands))
        ),
        modularity=tuple(q for q, _ in parts),
        communities=tuple(tuple(who.tolist()) for _, who in parts),
        n_segments=n_segments,
    )


def _by_band(x: Floats, cut: Segmenting, bands: tuple[Band, ...]) -> Floats:
    """Mean γ² [n_bands, n, n]."""
    spectra = coherence(x, cut)
    means = np.empty((len(bands), x.shape[1], x.shape[1]))
    for at, band in enumerate(bands):
        inside = (spectra.frequency >= band.low) & (spectra.frequency <= band.high)
        if not inside.any():
            raise ModelError(f"no frequency of segments of {cut.n_bins} bins lies in the band {band.name!r}")
        means[at] = spectra.coherence[inside].mean(axis=0)
    return means


def _against_null(raw: Floats, null: Floats, rate: float) -> PairEstimates:
    corrected = without_bias(raw, null.mean(axis=0))
    upper = np.triu_indices(raw.shape[1], 1)
    p_value = np.ones_like(raw)
    significant = np.zeros(raw.shape, np.bool_)
    found = null_p_values(raw[:, *upper], null[:, :, *upper])
    p_value[:, *upper] = p_value[:, upper[1], upper[0]] = found
    significant[:, *upper] = significant[:, upper[1], upper[0]] = benjamini_hochberg(found, rate)
    diagonal = np.arange(raw.shape[1])
    corrected[:, diagonal, diagonal] = 1.0
    return PairEstimates(raw, corrected, p_value, significant)


def _whole(raw: Floats, null: Floats, options: CoherenceOptions, told: tuple[int, dict[str, object]]) -> Estimate:
    """The mean over the pairs of one band; `raw` is [n, n] and `null` [n_shifts, n, n]."""
    n_bins, extra = told
    upper = np.triu_indices(len(raw), 1)
    seen, chance = float(raw[upper].mean()), null[:, *upper].mean(axis=1)
    p_value = surrogate_p(seen, chance)
    significant = p_value <= SIGNIFICANCE_LEVEL
    return Estimate(
        value=float(without_bias(seen, chance.mean())) if significant else 0.0,
        raw=seen,
        significant=significant,
        estimator=ESTIMATOR,
        n_units=len(raw),
        n_samples=n_bins,
        bias_corrected=True,
        p_value=p_value,
        bin_ns=options.bin_ns,
        extra=extra,
    )


def _nothing(names: tuple[str, ...], options: CoherenceOptions, n_bins: int, reason: str) -> RegionCoherence:
    shape = (len(options.bands), len(names), len(names))
    none = PairEstimates(
        np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, np.nan), np.zeros(shape, np.bool_)
    )
    why = refused(reason, estimator=ESTIMATOR, sizes=(len(names), n_bins))
    return RegionCoherence(names, options.bands, none, (why,) * len(options.bands))
