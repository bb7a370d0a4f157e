"""What intelligence metrics cost: `python -m bench.intelligence`. CPU time of one computation after warm-up.

Each is repeated for about a second; told are the median and the least, which is nearer to what a quiet machine needs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.emergence.coarse_graining import find_macro
from swarmscope.analysis.intelligence.emergence.score import measure_emergence
from swarmscope.analysis.intelligence.iit3.network import Network, check_network
from swarmscope.analysis.intelligence.iit3.phi import compute_phi, phi_of_models, warm_up
from swarmscope.analysis.intelligence.information.autoregression import VarModel, given_var
from swarmscope.analysis.intelligence.information.effective_information import integrated_effective_information
from swarmscope.analysis.intelligence.information.gaussian import gaussian_phi
from swarmscope.analysis.intelligence.telemetry.activity import activity_of_states
from swarmscope.analysis.intelligence.telemetry.integration import measure_phi
from swarmscope.analysis.intelligence.telemetry.options import PhiOptions, required_bins

_REPEAT_S = 1.0
_MIN_REPEATS, _MAX_REPEATS = 3, 300


@dataclass(frozen=True)
class Case:
    """One computation and its bound (0 for none)."""

    name: str
    bound_ms: float
    compute: Callable[[], object]


def _states(n_units: int) -> NDArray[np.int64]:
    return np.arange(1 << n_units)[:, None] >> np.arange(n_units) & 1


def basic() -> Network:
    """OR, COPY and XOR: the example that Φ is most often shown by; 2.3125."""
    first, second, third = _states(3).T
    return check_network(np.stack([second | third, third, first ^ second], axis=1))


def elementary_rule(rule: int, n_units: int) -> Network:
    """Wolfram's elementary cellular automaton on a ring."""
    states = _states(n_units)
    left, right = np.roll(states, 1, axis=1), np.roll(states, -1, axis=1)
    return check_network(rule >> (4 * left + 2 * states + right) & 1)


def logistic_tpm(n_units: int, seed: int) -> NDArray[np.float64]:
    """Every unit listens to all, with random weights."""
    random = np.random.default_rng(seed)
    weights, bias = random.normal(size=(n_units, n_units)), random.normal(size=n_units) * 0.5
    tpm: NDArray[np.float64] = 1 / (1 + np.exp(-((2 * _states(n_units) - 1) @ weights + bias)))
    return tpm


def linear_model(n_units: int, seed: int) -> VarModel:
    """Every unit listens to all, and the slowest mode keeps 0.8 of itself from step to step."""
    a = np.random.default_rng(seed).normal(size=(n_units, n_units))
    return given_var(0.8 * a / np.abs(np.linalg.eigvals(a)).max(), np.eye(n_units))


def phi_cases() -> Iterator[Case]:
    """Φ by IIT 3.0."""
    three = basic()
    yield Case("Φ, 3 units: OR, COPY, XOR", 0.3, lambda: compute_phi(three, [1, 0, 0]))
    for seed in (1, 2, 3):
        four = check_network(np.random.default_rng(seed).random((16, 4)))
        yield Case(f"Φ, 4 units: random {seed}", 10, lambda four=four: compute_phi(four, [0, 1, 0, 0]))  # type: ignore[misc]
    rule154, rule152 = elementary_rule(154, 5), elementary_rule(152, 5)
    yield Case("Φ, 5 units: rule 154", 15, lambda: compute_phi(rule154, [1, 0, 0, 0, 0]))
    yield Case("Φ, 5 units: rule 152", 70, lambda: compute_phi(rule152, [0] * 5))
    six = check_network(logistic_tpm(6, 1))
    yield Case("Φ, 6 units: dense logistic", 800, lambda: compute_phi(six, [1] * 6))
    tpms = np.stack([logistic_tpm(4, seed) for seed in range(99)])
    connected, states = np.ones((99, 4, 4), np.bool_), np.zeros((99, 4), np.int64)
    yield Case("Φ, 99 models of 4 units: logistic", 0, lambda: phi_of_models(tpms, connected, states))


def information_cases() -> Iterator[Case]:
    """Effective information, Φ_G, and emergence."""
    twelve = logistic_tpm(12, 1)
    yield Case("EI and its partition, 12 units", 2000, lambda: integrated_effective_information(twelve))
    for n_units, bound_ms in ((6, 0), (8, 0), (10, 0), (16, 0), (32, 500), (64, 0)):
        model = linear_model(n_units, 1)
        yield Case(f"Φ_G, {n_units} units", bound_ms, lambda model=model: gaussian_phi(model))  # type: ignore[misc]
    six = logistic_tpm(6, 1)
    yield Case("Macro system, 6 units", 0, lambda: find_macro(six))
    window = np.random.default_rng(1).integers(0, 2, (600, 6))
    yield Case("Emergence, 600 bins of 6 units", 0, lambda: measure_emergence(window))


def window_cases() -> Iterator[Case]:
    """Whole windows of telemetry: a ring of units that drive the next, 99 surrogates and 200 resamples."""
    for n_units in (3, 4, 5, 6):
        couplings = np.eye(n_units) + np.roll(np.eye(n_units), 1, axis=1)
        window = activity_of_states(_ring(couplings, required_bins(n_units)))
        yield Case(f"Window to Φ, {n_units} units", 0, lambda window=window: measure_phi(window))  # type: ignore[misc]
        gaussian = PhiOptions("phi_g", min_bins=600)
        name = f"Window to Φ_G, {n_units} units"
        yield Case(name, 0, lambda window=window, gaussian=gaussian: measure_phi(window, gaussian))  # type: ignore[misc]


def _ring(couplings: NDArray[np.float64], n_bins: int) -> NDArray[np.bool_]:
    rng = np.random.default_rng(1)
    signs = np.ones((n_bins, len(couplings)))
    for at in range(1, n_bins):
        chances = 1.0 / (1.0 + np.exp(-signs[at - 1] @ couplings))
        signs[at] = np.where(rng.random(len(couplings)) < chances, 1.0, -1.0)
    return signs > 0


def measure_ms(compute: Callable[[], object]) -> list[float]:
    """CPU time of each repetition, without the first."""
    compute()
    times: list[float] = []
    while len(times) < _MIN_REPEATS or (sum(times) < _REPEAT_S * 1000 and len(times) < _MAX_REPEATS):
        begin = time.process_time()
        compute()
        times.append((time.process_time() - begin) * 1000)
    return times


def main() -> None:
    """Print one line for each computation."""
    begin = time.process_time()
    warm_up()
    print(f"Φ's kernels compiled or loaded in {time.process_time() - begin:.1f} CPU-s")
    print(f"{'':36} {'median ms':>10} {'least':>10} {'bound':>8}")
    for case in [*phi_cases(), *information_cases(), *window_cases()]:
        times = measure_ms(case.compute)
        bound = f"{case.bound_ms:8g}" if case.bound_ms else ""
        print(f"{case.name:36} {statistics.median(times):10.3f} {min(times):10.3f} {bound}", flush=True)


if __name__ == "__main__":
    main()
