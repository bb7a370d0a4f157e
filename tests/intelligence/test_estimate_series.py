"""Estimates as samples."""

import numpy as np

from swarmscope.fleet.series import Moment
from swarmscope.intelligence.estimate_series import EstimateSeries
from swarmscope.model.metrics import UNKNOWN_SERIES

NS = 1_000_000_000


class NothingKnown:
    seed = 1

    def resolve(self, tenant, keys):
        return np.full(len(keys), UNKNOWN_SERIES, np.int64)


def estimate(group, value, **more):
    return {
        "group": group, "value": value, "raw": value, "significant": value > 0, "valid": True, "estimator": "logistic",
        "integration_type": "iit_3.0", "n_units": 3, "n_samples": 600, "p_value": 0.01, "ci_low": None, "ci_high": 0.5,
        "extra": {}, **more,
    }  # fmt: skip


def told(series, now_s, since_s=0):
    """{(name, labels but for the estimator's companions): value} of one publication."""
    publication = series.publication(NothingKnown(), Moment(now_s * 1000, now_s * 1000 - 1), since_s * NS)
    batch = publication.batch
    labels = batch.new_labels.to_dicts()
    found = {}
    for at, value in zip(batch.sample_series.tolist(), batch.value.tolist(), strict=True):
        found[tuple(sorted(labels[at].items()))] = value
    publication.written()
    return found


def test_a_gauge_with_companions():
    series = EstimateSeries("t", 1)
    series.add("phi", estimate("web", 0.25), 10 * NS)
    found = told(series, 10)
    base = (("brain_region", "web"), ("integration_type", "iit_3.0"))
    assert found[(("__name__", "agi_consciousness_phi"), *base)] == 0.25
    beside = {dict(key)["__name__"]: value for key, value in found.items() if ("estimator", "logistic") in key}
    # What is not known has no sample.
    assert beside == {
        f"agi_consciousness_phi_{name}": value
        for name, value in {
            "raw": 0.25, "p_value": 0.01, "ci_high": 0.5, "n_units": 3, "n_samples": 600, "significant": 1, "valid": 1,
        }.items()
    }  # fmt: skip


def test_a_histogram_and_a_summary_count_what_was_measured():
    series = EstimateSeries("t", 1)
    for value in (0.05, 0.95, 0.2):
        series.add("coherence", estimate("web", value), 10 * NS)
        series.add("coordination", estimate("web", value), 10 * NS)
    series.add("coherence", estimate("web", 0.0, valid=False), 10 * NS)
    found = {(dict(key)["__name__"], dict(key).get("le"), dict(key).get("quantile")): value
             for key, value in told(series, 10).items()}  # fmt: skip
    assert found["agi_neural_coherence_count", None, None] == 3
    assert found["agi_neural_coherence_sum", None, None] == 1.2
    assert [found["agi_neural_coherence_bucket", end, None] for end in ("0.1", "0.2", "0.9", "0.95", "+Inf")] == [
        1, 2, 2, 3, 3,
    ]  # fmt: skip
    assert found["agi_agent_coordination_score_count", None, None] == 3
    assert found["agi_agent_coordination_score", None, "0.5"] == 0.2


def test_what_is_not_measured_any_more_ends():
    series = EstimateSeries("t", 1)
    series.add("phi", estimate("web", 0.25), 10 * NS)
    told(series, 10)
    ended = told(series, 100, since_s=50)
    assert ended
    assert all(np.isnan(value) for value in ended.values())
    assert told(series, 101, since_s=50) == {}
