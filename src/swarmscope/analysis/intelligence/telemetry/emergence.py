"""Emergence of what a fleet was seen doing: Ψ of a macro feature of its units' states."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from swarmscope.analysis.intelligence.emergence.score import ESTIMATOR, EmergenceOptions
from swarmscope.analysis.intelligence.emergence.score import measure_emergence as measure_states
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.estimate import Estimate, refused
from swarmscope.analysis.intelligence.telemetry.activity import Activity
from swarmscope.analysis.intelligence.telemetry.binarising import to_states
from swarmscope.analysis.intelligence.telemetry.watch import Cancelled, Progress, Watch

_DEFAULTS = EmergenceOptions()


def measure_emergence(
    activity: Activity,
    options: EmergenceOptions = _DEFAULTS,
    *,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Estimate:
    """Return the emergence score of the units' states (as for Φ); throughput is counted of their events.

    Levels that are no counts have no throughput: that of their states is taken. `extra` names the `units` and what was
    `dropped`. Thin and constant data and unknown features give an estimate that is not valid and says why. Raises
    ComputationCancelledError when `cancelled` says so, and nothing else.
    """
    states = to_states(activity)
    told: dict[str, object] = {"units": list(states.names), "dropped": list(states.dropped)}
    sizes = (len(states.names), activity.n_bins)
    if len(states.names) < 2:
        reason = f"constant_units: {', '.join(states.dropped) or 'there are no others'}"
        return refused(reason, estimator=ESTIMATOR, sizes=sizes, extra=told)
    events = activity.events[:, [activity.names.index(name) for name in states.names]]
    is_counted = bool((events >= 0.0).all() and (events == np.floor(events)).all())
    watch = Watch(progress, cancelled)
    try:
        estimate = measure_states(
            states.on.astype(np.int64),
            options,
            events=events.astype(np.int64) if is_counted else None,
            bin_ns=activity.bin_ns,
            progress=watch.done,
        )
    except ModelError as error:
        return refused(f"model: {error}", estimator=ESTIMATOR, sizes=sizes, extra=told)
    return replace(estimate, extra={**estimate.extra, **told})
