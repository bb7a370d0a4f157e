"""The emergence score: found where something emerges, not where nothing does, and why there is none."""

import numpy as np
import pytest
from tests.analysis.intelligence.emergence.test_causal_decoupling import keeping_parity
from tests.portion import portion

from swarmscope.analysis.intelligence.emergence.features import FEATURES, find_feature
from swarmscope.analysis.intelligence.emergence.score import EmergenceOptions, measure_emergence
from swarmscope.analysis.intelligence.errors import ModelError

QUICK = EmergenceOptions(n_resamples=0)


def test_parity_that_stays_is_found_by_its_name():
    x, _ = keeping_parity(1000, 4, 0.9, 1)
    found = measure_emergence(x, EmergenceOptions("parity"), bin_ns=10**9)
    assert (found.valid, found.significant, found.extra["emergent"], found.p_value) == (True, True, True, 0.01)
    assert found.ci_low < 0.531004 < found.ci_high
    assert found.value == pytest.approx(found.raw - found.extra["null_mean"])
    assert (found.n_units, found.n_samples, found.bin_ns, found.estimator) == (4, 1000, 10**9, "rosas_psi")
    assert found.extra["feature"] == "parity"
    assert found.extra["delta"] == pytest.approx(0, abs=0.02)
    assert found.extra["gamma"] == pytest.approx(0, abs=0.02)


def test_a_function_is_a_feature_too():
    x, _ = keeping_parity(1000, 4, 0.9, 1)
    declared = measure_emergence(x, EmergenceOptions(lambda states, events: states.sum(axis=1) % 2, n_resamples=0))
    assert declared.value == measure_emergence(x, EmergenceOptions("parity", n_resamples=0)).value


def test_independent_units_are_seldom_called_emergent():
    n_seeds = portion(200, 30)
    found = 0
    for seed in range(n_seeds):
        chance = np.random.default_rng(seed)
        # Units with memory, whose every feature has memory too.
        flips = chance.random((600, 4)) < chance.uniform(0.05, 0.5, 4)
        found += measure_emergence(np.cumsum(flips, axis=0) % 2, QUICK).significant
    assert found <= max(2, 0.07 * n_seeds)


def test_what_all_copy_is_inconclusive():
    coin = np.cumsum(np.random.default_rng(3).random(1000) < 0.1) % 2
    found = measure_emergence(np.repeat(coin[:, None], 4, axis=1), QUICK)
    assert (found.value, found.significant, found.valid) == (0.0, False, True)
    assert found.raw < 0
    assert found.extra["o_information"] == pytest.approx(2, abs=0.01)


def test_the_same_seed_gives_the_same():
    x, _ = keeping_parity(300, 3, 0.8, 4)
    assert measure_emergence(x).to_json() == measure_emergence(x).to_json()


@pytest.mark.parametrize(
    ("states", "reason"),
    [
        (np.zeros((99, 3), int), "too_few_bins: 99 of 100"),
        (np.zeros((200, 3), int), "constant_units"),
        (np.tile([[0, 1], [1, 0]], (100, 1)), "constant_feature"),
    ],
)
def test_windows_that_tell_nothing_say_why(states, reason):
    found = measure_emergence(states)
    assert (found.valid, found.value, found.significant) == (False, 0.0, False)
    assert found.reason.startswith(reason)


def test_units_that_never_vary_are_left_out():
    x, _ = keeping_parity(300, 3, 0.9, 5)
    found = measure_emergence(np.insert(x, 1, 1, axis=1), EmergenceOptions("parity", n_resamples=0))
    assert (found.n_units, found.extra["units"]) == (3, [0, 2, 3])


def test_throughput_is_of_events():
    states = np.array([[0, 1], [1, 1], [1, 0]] * 3)
    events = np.array([[0, 1], [50, 50], [5, 5]] * 3)
    assert find_feature("throughput")(states, events).tolist() == [0, 2, 1] * 3
    assert find_feature("throughput_and_active")(states, events)[:3].tolist() == [[0, 1], [2, 2], [1, 1]]
    assert find_feature("majority")(states, events)[:3].tolist() == [0, 1, 0]
    assert find_feature("parity")(states, events)[:3].tolist() == [1, 0, 1]
    assert set(FEATURES) == {"throughput_and_active", "throughput", "active_units", "majority", "parity"}


def test_what_is_wrong_is_named():
    x, _ = keeping_parity(200, 3, 0.9, 6)
    with pytest.raises(ModelError, match="feature: 'mood' is none of throughput_and_active"):
        measure_emergence(x, EmergenceOptions("mood"))
    with pytest.raises(ModelError, match="events: row 3, unit 1 is nan"):
        measure_emergence(x, events=np.where(np.arange(600).reshape(200, 3) == 10, np.nan, 1.0))
    with pytest.raises(ModelError, match=r"events: \[200, 3\] are needed"):
        measure_emergence(x, events=x[:, :2])


def test_progress_is_told():
    x, _ = keeping_parity(200, 3, 0.9, 7)
    told = []
    measure_emergence(x, EmergenceOptions(n_surrogates=4, n_resamples=4), progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 1.0
