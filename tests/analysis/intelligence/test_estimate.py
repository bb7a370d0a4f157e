"""What is published of a number."""

from __future__ import annotations

import json
import math

from swarmscope.analysis.intelligence.estimate import Estimate, refused


def test_estimates_are_json_without_numbers_that_are_not_finite():
    estimate = Estimate(0.0, 0.25, False, ci_low=-math.inf, extra={"states": [(0.5, math.nan)], "of": {"a": math.inf}})
    told = json.loads(json.dumps(estimate.to_json(), allow_nan=False))
    assert told["raw"] == 0.25
    assert told["p_value"] is None
    assert told["ci_low"] is None
    assert told["extra"] == {"states": [[0.5, None]], "of": {"a": None}}


def test_what_is_refused_publishes_nothing_and_says_why():
    estimate = refused("too_few_bins: 12 of 600", estimator="logistic", sizes=(4, 12))
    assert (estimate.value, estimate.significant, estimate.valid) == (0.0, False, False)
    assert (estimate.n_units, estimate.n_samples) == (4, 12)
    assert math.isnan(estimate.raw)
    assert estimate.reason.startswith("too_few_bins")
