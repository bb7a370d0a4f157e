"""Compiling the kernels behind the intelligence metrics of the running fleet."""

from __future__ import annotations

import numpy as np

from swarmscope.analysis.intelligence.milestones.pelt import find_change_points


def warm_up() -> None:
    """Compile, or load from the cache."""
    find_change_points(np.arange(20.0))
