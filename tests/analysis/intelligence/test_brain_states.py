import json
from pathlib import Path

import numpy as np
import pytest
from opentelemetry.sdk.metrics import MeterProvider

from swarmscope import sdk
from swarmscope.analysis.intelligence.brain_states import BrainStateComputation
from swarmscope.analysis.intelligence.errors import ModelError
from swarmscope.analysis.intelligence.telemetry.options import PhiOptions

# Oizumi et al. 2014, figure 4: A = OR(B, C), B = AND(A, C), C = XOR(A, B); Φ = 23/12 in the state 100.
STATES = [[s & 1, s >> 1 & 1, s >> 2 & 1] for s in range(8)]
FIGURE_4 = {
    "tpm": [[b | c, a & c, a ^ b] for a, b, c in STATES],
    "cm": [[0, 1, 1], [1, 0, 1], [1, 1, 0]],
    "state": [1, 0, 0],
}
COPIES = {"tpm": [[0, 0], [0, 1], [1, 0], [1, 1]], "state": [1, 0]}  # two units that swap: EI 2 bits, none in the parts


def _states(seed, n=700, coupled=True):
    """Three modules; each is what the next one was, but for one in ten, or a fair coin."""
    random = np.random.default_rng(seed)
    on = random.integers(0, 2, (n, 3))
    for t in range(1, n):
        flips = random.random(3) < 0.1
        if coupled:
            on[t] = np.roll(on[t - 1], 1) ^ flips
    return [{"modules": [{"name": f"m{i}", "activity": int(each)} for i, each in enumerate(row)]} for row in on]


def test_declared_model_is_exact():
    first, second = BrainStateComputation()({"model": FIGURE_4})["phi"]
    assert first["value"] == pytest.approx(23 / 12, abs=5e-6)
    assert (first["integration_type"], first["estimator"], first["brain_region"]) == ("iit_3.0", "declared", "all")
    assert second["integration_type"] == "ei_mip"
    assert second["value"] == pytest.approx(second["effective_information"] - second["mip_value"])


def test_effective_information_and_its_parts():
    (first, second) = BrainStateComputation()({"model": {**COPIES, "brain_region": "pair"}})["phi"]
    for entry in (first, second):
        assert entry["effective_information"] == pytest.approx(2.0)
        assert entry["mip_value"] == pytest.approx(0.0, abs=1e-12)
        assert entry["brain_region"] == "pair"
    assert second["value"] == pytest.approx(2.0)


def test_seven_units_have_no_iit_3():
    tpm = np.roll([[s >> i & 1 for i in range(7)] for s in range(128)], 1, axis=1).tolist()
    (entry,) = BrainStateComputation()({"model": {"tpm": tpm, "state": [0] * 7}})["phi"]
    assert entry["integration_type"] == "ei_mip"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ({"tpm": [[0.5]]}, "state is missing"),
        ({"tpm": [[0, 0], [0, 1], [1, 0], [1, 1.5]], "state": [0, 0]}, "row 3, unit 1"),
        ({"tpm": [[0, 0]] * 4, "state": [1, 0]}, "unreachable"),
    ],
)
def test_model_that_is_none(model, words):
    with pytest.raises(ModelError, match=words):
        BrainStateComputation()({"model": model})


def test_history_of_modules_is_estimated():
    computation = BrainStateComputation(PhiOptions(n_surrogates=39, n_resamples=10), max_share=1.0)
    states = _states(1)
    assert [computation(state) for state in states[:599]] == [{}] * 599, "600 bins are needed"
    (entry,) = computation(states[599])["phi"]
    assert (entry["integration_type"], entry["n_units"], entry["n_samples"]) == ("iit_3.0", 3, 600)
    assert entry["estimator"] in ("logistic", "counts")
    assert entry["significant"] is True
    assert entry["value"] > 0
    assert entry["p_value"] <= 0.05


def test_independent_modules_and_others():
    computation = BrainStateComputation(PhiOptions(n_surrogates=39, n_resamples=10), max_share=1.0)
    found = [computation(state) for state in _states(3, 600, coupled=False)][-1]
    assert [entry["value"] for entry in found["phi"]] == [0.0]
    assert computation({"modules": [{"name": "m0", "activity": 1}, {"name": "other", "activity": 0}]}) == {}
    assert computation({"modules": [{"name": "alone", "activity": 1}]}) == {}
    assert computation({"optimization": 1.0}) == {}


def test_share_of_time():
    computation = BrainStateComputation(PhiOptions(n_surrogates=9, n_resamples=0), max_share=1e-6)
    found = [computation(state) for state in _states(1, 610)]
    assert sum(map(bool, found)) == 1


def test_collector_of_the_sdk_emits_it():
    provider = MeterProvider([], shutdown_on_exit=False)
    collector = sdk.IntelligenceMetricsCollector(meter_provider=provider, computation=BrainStateComputation())
    collector.record({"model": FIGURE_4})
    found = {
        line.split('integration_type="')[1].split('"')[0]: float(line.split()[-1])
        for line in collector.exposition().splitlines()
        if line.startswith("agi_consciousness_phi{")
    }
    # The reference: Φ 23/12 by IIT 3.0, and 1.688722 bits of effective information are lost at its partition.
    assert found == {"iit_3.0": pytest.approx(23 / 12, abs=5e-6), "ei_mip": pytest.approx(1.688722, abs=5e-6)}
    with pytest.raises(sdk.BrainStateError, match="ModelError: tpm: row 0, unit 0 is 2"):
        collector.record({"model": {"tpm": [[2]] * 2, "state": [0]}})


def test_what_it_returns_is_a_brain_state():
    found = BrainStateComputation()({"model": FIGURE_4})
    assert sdk.check_brain_state(json.loads(json.dumps(found))) == found
    schema = Path(sdk.__file__).parent / "intelligence" / "brain_state.schema.json"
    assert set(found["phi"][0]) <= set(json.loads(schema.read_text())["properties"]["phi"]["items"]["properties"])
