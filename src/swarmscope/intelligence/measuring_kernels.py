"""Compiling the kernels of the process that measures; a process of its own, as the server has no SciPy."""

from __future__ import annotations

import subprocess
import sys

import numpy as np


def compile_measuring() -> None:
    """Compile them, or find them in the cache. Raises CalledProcessError where that fails."""
    command = [sys.executable, "-m", "swarmscope.intelligence.measuring_kernels"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)  # noqa: S603 - our own


def main() -> None:
    """Measure something small of each kind."""
    # Imported here: who only calls `compile_measuring` needs none of it.
    from swarmscope.analysis.intelligence.coordination.fleet_spans import fleet_spans
    from swarmscope.analysis.intelligence.coordination.span_times import span_times
    from swarmscope.analysis.intelligence.iit3.phi import warm_up
    from swarmscope.analysis.intelligence.information.effective_information import integrated_effective_information
    from swarmscope.analysis.intelligence.telemetry.activity import SpanColumns, activity_of_spans, activity_of_states
    from swarmscope.analysis.intelligence.telemetry.integration import measure_phi
    from swarmscope.analysis.intelligence.telemetry.options import PhiOptions
    from swarmscope.model.agents import AgentSpans

    warm_up()
    integrated_effective_information(np.zeros((4, 2)))
    chance = np.random.default_rng(0)
    states = chance.random((600, 2)) < 0.5
    states[1:, 1] ^= states[:-1, 0] & (chance.random(599) < 0.9)
    for model in ("chosen", "counts"):
        measure_phi(activity_of_states(states), PhiOptions(model=model, n_surrogates=3, n_resamples=3))
    one, none = np.zeros(1, np.int32), np.full(1, -1, np.int32)
    activity_of_spans(SpanColumns(one, np.zeros(1, np.int64), np.ones(1, np.int64), none), ("a",), 0, 2, 1)
    span_times(fleet_spans(AgentSpans.blank(1), 1)[0])


if __name__ == "__main__":
    main()
