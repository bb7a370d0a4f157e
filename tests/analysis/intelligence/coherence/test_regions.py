"""Coherence of regions: coupled ones are found, independent ones are not, and what cannot be measured says why."""

from __future__ import annotations

import numpy as np
import pytest
from tests.portion import portion

from swarmscope.analysis.intelligence.coherence.regions import Band, CoherenceOptions, measure_coherence
from swarmscope.analysis.intelligence.coherence.welch import Segmenting
from swarmscope.analysis.intelligence.errors import ModelError

NAMES = ("planner", "coder", "tester", "writer")


def _two_pairs(rng: np.random.Generator, n_bins: int = 600) -> np.ndarray:
    """Counts of events; the first two follow one load, the other two another."""
    load = rng.gamma(2.0, 1.0, (n_bins, 2))
    return rng.poisson(3 * load[:, [0, 0, 1, 1]])


def test_pairs_that_share_a_load() -> None:
    found = measure_coherence(_two_pairs(np.random.default_rng(1)), NAMES)
    assert found.pairs.significant[0].tolist() == [
        [False, True, False, False],
        [True, False, False, False],
        [False, False, False, True],
        [False, False, True, False],
    ]
    assert found.communities == ((0, 0, 1, 1),)
    # Two equal edges, each its own community: 2·(1/2 − (1/2)²).
    assert found.modularity[0] == pytest.approx(0.5, abs=0.01)
    # Signal 9·2 beside Poisson noise 3·2: γ² = (18/24)².
    assert found.pairs.corrected[0, 0, 1] == pytest.approx(0.5625, abs=0.12)
    whole = found.estimates[0]
    assert whole.significant
    assert whole.bias_corrected
    # The mean over six pairs, two of which are coherent.
    assert whole.value == pytest.approx(2 * 0.5625 / 6, abs=0.05)
    assert found.of_regions()[0] == pytest.approx([0.5625 / 3] * 4, abs=0.05)


def test_independent_regions_are_not_told_to_be_coherent() -> None:
    n_fleets = portion(200, 30)
    options = CoherenceOptions(n_shifts=99)
    pairs_found = wholes_found = 0
    for seed in range(n_fleets):
        x = np.random.default_rng(1000 + seed).poisson(1.0, (300, 4))
        found = measure_coherence(x, NAMES, options)
        pairs_found += bool(found.pairs.significant.any())
        wholes_found += found.estimates[0].significant
    # 5 % are to be expected, and a binomial deviation above.
    limit = 0.05 * n_fleets + 2.5 * np.sqrt(0.0475 * n_fleets)
    assert pairs_found <= limit
    assert wholes_found <= limit


def test_a_band_sees_only_its_frequencies() -> None:
    rng = np.random.default_rng(4)
    slow = np.convolve(rng.normal(size=1260), np.ones(20) / 20, "valid")[:1200, None]
    x = 6 * slow + rng.normal(size=(1200, 2))
    bands = (Band("slow", 0.01, 0.04), Band("fast", 0.25, 0.5))
    found = measure_coherence(x, NAMES[:2], CoherenceOptions(bands, Segmenting(100, 50)))
    assert found.pairs.significant[:, 0, 1].tolist() == [True, False]
    assert found.estimates[0].value > 0.3
    assert found.estimates[1].value == 0.0


def test_constant_regions_are_left_out_and_named() -> None:
    x = _two_pairs(np.random.default_rng(2)).astype(float)
    x[:, 1] = 3.0
    found = measure_coherence(x, NAMES)
    assert found.names == ("planner", "tester", "writer")
    assert found.estimates[0].extra["constant_regions"] == ["coder"]
    x[:, 2:] = 0.0
    alone = measure_coherence(x, NAMES).estimates[0]
    assert not alone.valid
    assert alone.reason.startswith("too_few_regions: 1")


def test_windows_that_are_too_short_say_so() -> None:
    found = measure_coherence(_two_pairs(np.random.default_rng(3), 30), NAMES, CoherenceOptions(bin_ns=5))
    assert not found.estimates[0].valid
    assert found.estimates[0].reason.startswith("too_few_segments")
    assert not found.pairs.significant.any()


def test_bad_input_is_named() -> None:
    x = _two_pairs(np.random.default_rng(3)).astype(float)
    with pytest.raises(ModelError, match="3 names"):
        measure_coherence(x, NAMES[:3])
    with pytest.raises(ModelError, match="'hum'"):
        measure_coherence(x, NAMES, CoherenceOptions((Band("hum", 0.49, 0.491),)))
    x[7, 2] = np.inf
    with pytest.raises(ModelError, match="signal 2 is inf in bin 7"):
        measure_coherence(x, NAMES)
