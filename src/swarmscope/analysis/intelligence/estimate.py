"""The one result of every metric that is published: a number, what made it, and how far it can be believed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

SIGNIFICANCE_LEVEL = 0.05


@dataclass(frozen=True)
class Estimate:
    """One published number.

    `value` is what a series shows: `raw` less its null's mean, and 0 unless `significant`. Where a metric has no null
    (a ratio of counts), `value` is `raw` and `p_value` is nan. An estimate with `valid=False` says why in `reason` (one
    word with underscores, and after a colon the particulars); its `value` is 0 and what is not known is nan.
    """

    value: float
    raw: float
    significant: bool
    valid: bool = True
    reason: str = ""
    estimator: str = ""
    integration_type: str = ""
    """Which Φ it is (`iit_3.0`, `ei_mip`, `phi_g`); empty for other metrics."""
    n_units: int = 0
    n_samples: int = 0
    bias_corrected: bool = False
    p_value: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    bin_ns: int = 0
    """Width of a bin of the activity it was computed from; 0 where there are none."""
    extra: Mapping[str, object] = field(default_factory=dict)
    """What the metric tells besides; values that JSON can hold."""

    def to_json(self) -> dict[str, object]:
        """Return all fields; numbers that are not finite become None."""
        return {name: _to_json(value) for name, value in asdict(self).items()}


def refused(
    reason: str,
    *,
    estimator: str = "",
    integration_type: str = "",
    sizes: tuple[int, int] = (0, 0),
    extra: Mapping[str, object] | None = None,
) -> Estimate:
    """Return the estimate of what could not be computed, which says why; `sizes` are its units and its samples."""
    return Estimate(
        value=0.0,
        raw=math.nan,
        significant=False,
        valid=False,
        reason=reason,
        estimator=estimator,
        integration_type=integration_type,
        n_units=sizes[0],
        n_samples=sizes[1],
        extra=extra or {},
    )


def _to_json(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_to_json(item) for item in value]
    return value
