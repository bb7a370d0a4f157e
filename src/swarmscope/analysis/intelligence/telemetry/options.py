"""What a measurement of telemetry may be told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

IntegrationType = Literal["auto", "iit_3.0", "ei_mip", "phi_g"]
MAX_EXACT_UNITS = 6
"""For which Φ by IIT 3.0 is computed live."""
MAX_TESTED_UNITS = 5
"""Up to which surrogates and resamples are measured by IIT 3.0 themselves; for more the tests are of EI at its MIP."""
_MIN_BINS = 600


@dataclass(frozen=True)
class PhiOptions:
    """How Φ is measured. The defaults are what is published."""

    integration_type: IntegrationType = "auto"
    """`auto`: `iit_3.0` for up to `max_units` units, `phi_g` for more."""
    model: Literal["chosen", "logistic", "counts"] = "chosen"
    n_surrogates: int = 99
    n_resamples: int = 200
    min_bins: int = 0
    """Fewer are refused; 0: what `required_bins` says."""
    max_units: int = MAX_EXACT_UNITS
    """For `iit_3.0`; 8 at most, for which one Φ takes minutes."""
    seed: int = 0


def required_bins(n_units: int, integration_type: IntegrationType = "iit_3.0") -> int:
    """Return how many bins a window must have: 600, or 40·n·(n + 1), and 10·n² for the Gaussian estimate."""
    if integration_type == "phi_g":
        return max(_MIN_BINS, 10 * n_units**2)
    return max(_MIN_BINS, 40 * n_units * (n_units + 1))
