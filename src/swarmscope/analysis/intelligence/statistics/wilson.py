"""Wilson's score interval of a share.

E. B. Wilson, Probable inference, the law of succession, and statistical inference, J. Am. Stat. Assoc. 22 (1927).
"""

from __future__ import annotations

import math
from statistics import NormalDist

from swarmscope.analysis.intelligence.errors import ModelError


def wilson_interval(successes: float, trials: float, confidence: float = 0.95) -> tuple[float, float]:
    """Low and high end of the share of `successes` among `trials`; (0, 1) without a trial.

    Raises ModelError for more successes than trials, for counts below 0 and a confidence outside 0 … 1.
    """
    if not 0 <= successes <= trials:
        raise ModelError(f"{successes} successes of {trials} trials are no share")
    if not 0 < confidence < 1:
        raise ModelError(f"the confidence {confidence} is not between 0 and 1")
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share, weight = successes / trials, z * z / trials
    middle = (share + weight / 2) / (1 + weight)
    half = z * math.sqrt(share * (1 - share) / trials + weight / (4 * trials)) / (1 + weight)
    return max(middle - half, 0.0), min(middle + half, 1.0)
