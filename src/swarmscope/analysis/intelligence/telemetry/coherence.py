"""Coherence of what a fleet's units were seen doing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from swarmscope.analysis.intelligence.coherence.regions import (
    ESTIMATOR,
    CoherenceOptions,
    PairEstimates,
    RegionCoherence,
)
from swarmscope.analysis.intelligence.coherence.regions import measure_coherence as measure_signals
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.estimate import refused
from swarmscope.analysis.intelligence.telemetry.activity import Activity
from swarmscope.analysis.intelligence.telemetry.watch import Cancelled, Progress, Watch

_DEFAULTS = CoherenceOptions()


def measure_coherence(
    activity: Activity,
    options: CoherenceOptions = _DEFAULTS,
    *,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> RegionCoherence:
    """Return the coherence of the units' events by bin, one estimate a band, and all pairs.

    The bins' width is the activity's, whatever the options say. Thin, constant and straight data and bands without a
    frequency give estimates that are not valid and say why. Raises ComputationCancelledError when `cancelled` says so,
    and nothing else.
    """
    watch = Watch(progress, cancelled)
    watch.done(0.0)
    told = replace(options, bin_ns=activity.bin_ns)
    try:
        found = measure_signals(activity.events, activity.names, told)
    except ModelError as error:
        found = _nothing(activity, options, f"model: {error}")
    watch.done(1.0)
    return found


def _nothing(activity: Activity, options: CoherenceOptions, reason: str) -> RegionCoherence:
    shape = (len(options.bands), activity.n_units, activity.n_units)
    unknown = np.full(shape, np.nan)
    why = refused(reason, estimator=ESTIMATOR, sizes=(activity.n_units, activity.n_bins))
    pairs = PairEstimates(unknown, unknown, unknown, np.zeros(shape, np.bool_))
    return RegionCoherence(activity.names, options.bands, pairs, (why,) * len(options.bands))
