"""The watch over evaluations with a fake clock, a sink that keeps what it is told, and spans that become known."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from swarmscope.analysis.intelligence.alignment.objective import Objective
from swarmscope.instrument.metrics import REGISTRY
from swarmscope.intelligence.evaluations import EvaluationOutlets, EvaluationSettings, EvaluationWatch
from swarmscope.intelligence.score_series import ScoreSettings
from swarmscope.intelligence.score_windows import Window
from swarmscope.model.contracts import Receipt
from swarmscope.model.errors import UnavailableError
from swarmscope.model.evaluations import Evaluation, Responses
from swarmscope.model.metrics import UNKNOWN_SERIES, MetricBatch
from swarmscope.model.staleness import is_stale

NS_PER_S = 1_000_000_000
NOW_NS = 1_775_000_000 * NS_PER_S
WINDOW = Window(3600 * NS_PER_S, 0.95)


class Clock:
    def __init__(self) -> None:
        self.ns = NOW_NS

    def now_ns(self) -> int:
        return self.ns


class Kept:
    """A `Sink` and a `SeriesIndex` to which every series is new: the last value of each is kept."""

    seed = 1

    def __init__(self) -> None:
        self.values: dict[tuple[str, ...], float] = {}
        self.error: Exception | None = None

    def resolve(self, tenant: str, keys: NDArray[np.uint64]) -> NDArray[np.int64]:
        return np.full(len(keys), UNKNOWN_SERIES, np.int64)

    def write_metrics(self, batch: MetricBatch) -> Receipt:
        if self.error is not None:
            raise self.error
        told = batch.new_labels.to_dicts()
        for series, value in zip(batch.sample_series.tolist(), batch.value.tolist(), strict=True):
            labels = dict(told[series])
            name = labels.pop("__name__")
            self.values[batch.tenant, name, *labels.values()] = value
        return Receipt(samples=len(batch.value))

    def of(self, name: str, tenant: str = "t") -> dict[tuple[str, ...], float]:
        """Values of a metric by their labels, without those that have ended."""
        found = {key[2:]: value for key, value in self.values.items() if key[:2] == (tenant, name)}
        ended = is_stale(np.array([*found.values()]))
        return {key: value for (key, value), gone in zip(found.items(), ended, strict=True) if not gone}


class Fleet:
    """Whose work spans are, as far as that is known."""

    def __init__(self, known: Mapping[int, str] | None = None) -> None:
        self.known = dict(known or {})

    def __call__(self, tenant: str, span_key: int) -> str | None:
        return self.known.get(span_key)


class Bench:
    def __init__(self, folder: Path, fleet: Fleet | None = None, **settings: object) -> None:
        self.clock, self.kept, self.fleet = Clock(), Kept(), fleet
        self.scores = ScoreSettings(WINDOW, **settings)  # type: ignore[arg-type]
        self.file = folder / "evaluations.json"
        self.watch = self.again()

    def again(self) -> EvaluationWatch:
        """A new process on the same folder."""
        outlets = EvaluationOutlets(self.kept, self.kept, self.file)
        return EvaluationWatch(EvaluationSettings(self.scores), outlets, self.fleet, self.clock)

    def tell(self, *found: Evaluation) -> None:
        self.watch.observe_evaluations("t", found)
        self.after(20)

    def after(self, seconds: float) -> None:
        self.clock.ns += round(seconds * NS_PER_S)
        self.watch.step()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def of_ada(score: float, name: str = "tone", label: str = "") -> Evaluation:
    return Evaluation(name, score, label, agent="ada")


def refused(reason: str) -> float:
    return REGISTRY.get_sample_value("swarmscope_evaluations_refused_total", {"reason": reason}) or 0.0


def test_means_with_intervals(bench: Bench) -> None:
    bench.tell(of_ada(0.2), of_ada(0.4), of_ada(0.6), of_ada(math.nan, label="fine"))
    assert bench.kept.of("agi_evaluation_score") == {("ada", "tone"): pytest.approx(0.4)}
    # Student's t with 2 degrees of freedom: 4.3027 · 0.2 / √3.
    assert bench.kept.of("agi_evaluation_score_ci_low") == {("ada", "tone"): pytest.approx(0.4 - 0.496828, abs=1e-5)}
    assert bench.kept.of("agi_evaluation_score_ci_high") == {("ada", "tone"): pytest.approx(0.4 + 0.496828, abs=1e-5)}
    assert bench.kept.of("agi_evaluation_score_n_samples") == {("ada", "tone"): 3}
    assert bench.kept.of("agi_evaluations_total") == {("ada", "tone"): 4}
    assert bench.kept.of("agi_evaluation_labels_total") == {("ada", "tone", "fine"): 1}


def test_nothing_is_told_that_nobody_said(bench: Bench) -> None:
    bench.after(20)
    assert bench.kept.values == {}
    bench.tell(of_ada(math.nan, label="fine"))
    assert {name for _, name, *_ in bench.kept.values} == {"agi_evaluations_total", "agi_evaluation_labels_total"}
    bench.tell(of_ada(0.5))
    assert bench.kept.of("agi_evaluation_score") == {("ada", "tone"): 0.5}
    assert bench.kept.of("agi_evaluation_score_ci_low") == {}  # one score has no interval
    for name in ("agi_value_alignment_score", "agi_mesa_optimization_probability", "agi_objective_drift"):
        assert bench.kept.of(name) == {}


def test_scores_leave_the_window_and_series_end(bench: Bench) -> None:
    bench.tell(of_ada(0.0))
    bench.after(3000)
    bench.tell(of_ada(1.0))
    assert bench.kept.of("agi_evaluation_score") == {("ada", "tone"): 0.5}
    bench.after(1200)
    assert bench.kept.of("agi_evaluation_score") == {("ada", "tone"): 1.0}
    bench.after(3600)
    assert bench.kept.of("agi_evaluation_score") == {}
    assert bench.kept.of("agi_evaluations_total") == {}


def test_declared_names_alone_make_declared_series(tmp_path: Path) -> None:
    bench = Bench(tmp_path, alignment_names=frozenset({"va", "values"}), mesa_names=frozenset({"mesa"}))
    before = refused("range")
    bench.tell(of_ada(0.5, "va"), of_ada(0.7, "values"), of_ada(0.1, "mesa"), of_ada(0.9, "other"), of_ada(7, "va"))
    assert bench.kept.of("agi_value_alignment_score") == {("ada",): pytest.approx(0.6)}
    assert bench.kept.of("agi_mesa_optimization_probability") == {("ada",): 0.1}
    assert bench.kept.of("agi_evaluation_score")["ada", "va"] == pytest.approx(3.75)
    assert refused("range") == before + 1


def test_whose_work_it_is(tmp_path: Path) -> None:
    fleet = Fleet({5: "writer", 6: "judge", 7: ""})
    bench = Bench(tmp_path, fleet)
    bench.watch.observe_responses("t", Responses(np.array([11], np.uint64), np.array([5], np.uint64)))
    bench.tell(
        Evaluation("by span", 1.0, agent="service", span_key=5),
        Evaluation("by response", 1.0, response=11, span_key=6),
        Evaluation("by name", 1.0, agent="cook", is_explicit=True, span_key=6),
        Evaluation("of nobody's span", 1.0, agent="service", span_key=7),
        Evaluation("of nobody", 1.0),
    )
    assert set(bench.kept.of("agi_evaluation_score")) == {
        ("writer", "by span"), ("writer", "by response"), ("cook", "by name"), ("service", "of nobody's span"),
        ("of nobody",),
    }  # fmt: skip


def test_results_wait_for_their_spans(tmp_path: Path) -> None:
    bench = Bench(tmp_path, Fleet())
    bench.tell(Evaluation("early", 1.0, span_key=5), Evaluation("lost", 1.0, agent="proc", span_key=9))
    early = Evaluation("answer", 1.0, response=11)
    bench.tell(early)
    assert bench.kept.of("agi_evaluation_score") == {}
    assert bench.fleet is not None
    bench.fleet.known[5] = "writer"
    bench.watch.observe_responses("t", Responses(np.array([11], np.uint64), np.array([5], np.uint64)))
    bench.after(45)
    assert set(bench.kept.of("agi_evaluation_score")) == {("writer", "early"), ("writer", "answer")}
    bench.after(100)
    assert ("proc", "lost") in bench.kept.of("agi_evaluation_score")


def test_memory_is_bounded(tmp_path: Path) -> None:
    bench = Bench(tmp_path, max_series=2)
    before = refused("series")
    bench.tell(*(of_ada(1.0, f"n{at}") for at in range(4)))
    assert len(bench.kept.of("agi_evaluation_score")) == 2
    assert refused("series") == before + 2
    before = refused("overload")
    bench.watch.observe_evaluations("t", [of_ada(1.0)] * 60_000)
    assert refused("overload") == before + 10_000


def test_drift_from_an_objective(tmp_path: Path) -> None:
    objective = Objective("kind", "tone", expected=0.8, tolerance=0.02, n_reference=100, n_recent=100)
    bench = Bench(tmp_path, objectives=(objective,))
    rng = np.random.default_rng(0)
    bench.tell(*(of_ada(score) for score in rng.beta(8, 2, 200)))
    assert bench.kept.of("agi_objective_drift") == {("ada", "kind"): 0}
    assert bench.kept.of("agi_objective_drift_psi_p_value")["ada", "kind"] > 0.01
    bench.tell(*(of_ada(score) for score in rng.beta(5, 5, 100)), of_ada(1.5))
    assert bench.kept.of("agi_objective_drift") == {("ada", "kind"): 1}
    assert bench.kept.of("agi_objective_drift_p_value")["ada", "kind"] <= 0.01
    assert bench.kept.of("agi_objective_drift_log_e")["ada", "kind"] > math.log(100)
    assert bench.kept.of("agi_objective_drift_psi")["ada", "kind"] > 0.25
    assert bench.kept.of("agi_objective_drift_n_samples") == {("ada", "kind"): 300}


def test_milestones_of_an_objective(tmp_path: Path) -> None:
    objectives = Objective("kind", "tone"), Objective("curt", "tone")
    bench = Bench(tmp_path, objectives=objectives, better={"kind": True})
    rng = np.random.default_rng(0)
    bench.tell(*(of_ada(score) for score in np.concatenate([rng.beta(3, 7, 100), rng.beta(7, 3, 100)])))
    found = bench.kept.of("agi_learning_milestones_total")
    assert found["ada", "kind", "improvement"] == 1
    assert ("ada", "kind", "regression") not in found
    assert {domain for _, domain, _ in found} == {"kind"}


def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    objective = Objective("kind", "tone", n_reference=100, n_recent=100)
    bench = Bench(tmp_path, Fleet(), objectives=(objective,), alignment_names=frozenset({"tone"}))
    scores = np.random.default_rng(1).beta(8, 2, 300)
    bench.tell(*(of_ada(score) for score in scores), Evaluation("later", math.nan, "x", span_key=5))
    before = dict(bench.kept.values)
    bench.watch.close()
    bench.watch = bench.again()
    bench.watch.recover()
    bench.kept.values.clear()
    bench.after(20)
    for (tenant, name, *labels), value in bench.kept.values.items():
        if not name.endswith("_total"):
            assert value == pytest.approx(before[tenant, name, *labels])
    assert bench.kept.of("agi_objective_drift_psi").keys() == {("ada", "kind")}
    assert bench.kept.of("agi_value_alignment_score").keys() == {("ada",)}
    assert bench.fleet is not None
    bench.fleet.known[5] = "writer"
    bench.after(200)
    assert ("writer", "later") in bench.kept.of("agi_evaluations_total")


def test_an_objective_that_is_declared_otherwise_begins_anew(tmp_path: Path) -> None:
    bench = Bench(tmp_path, objectives=(Objective("kind", "tone", expected=0.5),))
    bench.tell(*[of_ada(0.5)] * 50)
    bench.watch.close()
    bench.scores = ScoreSettings(WINDOW, objectives=(Objective("kind", "tone", expected=0.6),))
    bench.watch = bench.again()
    bench.watch.recover()
    bench.kept.values.clear()
    bench.tell(of_ada(0.6))
    assert bench.kept.of("agi_objective_drift_n_samples") == {("ada", "kind"): 1}


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"version": 2}', '{"version": 1, "tenants": {"t": {"windows": 7}}}'])
def test_a_damaged_file_is_told_and_passed_over(bench: Bench, text: str) -> None:
    def failures() -> float:
        return REGISTRY.get_sample_value("swarmscope_evaluations_failures_total", {"stage": "recover"}) or 0.0

    bench.file.write_text(text)
    before = failures()
    bench.watch.recover()
    assert failures() == before + 1
    bench.tell(of_ada(0.5))
    assert bench.kept.of("agi_evaluation_score") == {("ada", "tone"): 0.5}


def test_a_store_that_is_away_costs_samples_and_no_scores(bench: Bench) -> None:
    bench.kept.error = UnavailableError("away")
    bench.tell(of_ada(0.2))
    bench.kept.error = None
    bench.tell(of_ada(0.4))
    assert bench.kept.of("agi_evaluation_score") == {("ada", "tone"): pytest.approx(0.3)}
