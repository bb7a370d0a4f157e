"""Sampling: shares, weights and whole traces over seeded ones, in any order and in several requests."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from swarmscope.ingest.sampling.policies import AttributeTest, BadPolicyError, Policy
from swarmscope.ingest.sampling.sampling_sink import SamplingJudge, SamplingSettings, SamplingSpanSink
from swarmscope.ingest.sampling.trace_ledger import TraceLedger
from swarmscope.model.contracts import Receipt
from swarmscope.model.labels import DEFAULT_TENANT
from swarmscope.model.spans import KeepReason, SpanBatch
from swarmscope.testing.plain_spans import PlainSpan, ids_of, span_id, to_batch

_NS_PER_S = 1_000_000_000
_MS = 1_000_000


@dataclass
class _Clock:
    now: int = 1_700_000_000 * _NS_PER_S

    def now_ns(self) -> int:
        """The time that was set."""
        return self.now


@dataclass
class _Kept:
    """What came through: the batches, as a store would have them."""

    batches: list[SpanBatch] = field(default_factory=list)

    def write_spans(self, batch: SpanBatch) -> Receipt:
        """Keep it."""
        self.batches.append(batch)
        return Receipt(spans=len(batch))


class _Sampler:
    def __init__(self, settings: SamplingSettings) -> None:
        self.clock, self.store = _Clock(), _Kept()
        self.ledger = TraceLedger(settings.max_traces)
        self.sink = SamplingSpanSink(self.store, settings, self.ledger, self.clock)
        self.judge = SamplingJudge(settings, self.ledger)

    def weights(self) -> dict[tuple[bytes, bytes], float]:
        """Weigh everything that was written since the last time; by trace and span id."""
        weights = {}
        for batch in self.store.batches:
            weighed = self.judge.weigh(batch.tenant, batch.trace_id, batch.keep, batch.share)
            for row, weight in enumerate(weighed.tolist()):
                weights[batch.trace_id[row].tobytes(), batch.span_id[row].tobytes()] = weight
        self.store.batches.clear()
        return weights


def _trace(rng: random.Random, service: str = "web", n_spans: int = 4) -> list[PlainSpan]:
    trace = rng.randbytes(16)
    return [
        PlainSpan(trace, span_id(n + 1), f"step {n}", 0, 10 * _MS, resource={"service.name": service})
        for n in range(n_spans)
    ]


def _by_trace(weights: dict[tuple[bytes, bytes], float]) -> dict[bytes, set[float]]:
    found: dict[bytes, set[float]] = defaultdict(set)
    for (trace, _), weight in weights.items():
        found[trace].add(weight)
    return found


ALWAYS = SamplingSettings(share=0.1, rate_threshold=0, slow_percentile=1, max_traces=100_000)


def test_share_weights_and_whole_traces_of_10_000_traces_in_disorder() -> None:
    rng = random.Random(7)
    traces = [_trace(rng) for _ in range(10_000)]
    failing = set(rng.sample(range(10_000), 200))
    for number in failing:
        bad = rng.randrange(4)
        traces[number][bad] = replace(traces[number][bad], status=2)
    spans = [span for trace in traces for span in trace]
    rng.shuffle(spans)
    sampler = _Sampler(ALWAYS)
    for begin in range(0, len(spans), 1000):
        sampler.sink.write_spans(to_batch(spans[begin : begin + 1000]))
    by_trace = _by_trace(sampler.weights())
    assert all(len(weights) == 1 for weights in by_trace.values())
    failing_ids = {traces[number][0].trace_id for number in failing}
    assert all(by_trace[trace] == {1.0} for trace in failing_ids)
    ordinary = [next(iter(weights)) for trace, weights in by_trace.items() if trace not in failing_ids]
    kept = [weight for weight in ordinary if weight]
    assert set(kept) == {10.0}
    # Binomial(9800, 0.1): six standard deviations are 178.
    assert abs(len(kept) - 980) < 178
    # Weights count all traces: failing ones exactly, ordinary ones within the same bound.
    assert abs(sum(ordinary) - 9800) < 1780


def test_late_spans_follow_the_decision() -> None:
    rng = random.Random(3)
    traces = [_trace(rng) for _ in range(500)]
    sampler = _Sampler(ALWAYS)
    sampler.sink.write_spans(to_batch([span for trace in traces for span in trace[:2]]))
    first = _by_trace(sampler.weights())
    # An error that comes after the decision does not change it: half a trace would be kept otherwise.
    late = [replace(trace[2], status=2) for trace in traces]
    sampler.sink.write_spans(to_batch(late))
    assert _by_trace(sampler.weights()) == first


def test_a_decision_is_the_same_after_a_restart() -> None:
    rng = random.Random(4)
    spans = [span for _ in range(500) for span in _trace(rng)]
    before, after = _Sampler(ALWAYS), _Sampler(ALWAYS)
    before.sink.write_spans(to_batch(spans))
    first = before.weights()
    # What the journal kept is all that the new process knows.
    after.store.batches.append(to_batch([replace(span, share=0.1) for span in spans]))
    assert after.weights() == first


def test_everything_is_kept_below_the_rate_and_a_share_above() -> None:
    settings = replace(ALWAYS, rate_threshold=100)
    sampler = _Sampler(settings)
    rng = random.Random(5)
    quiet = [_trace(rng, "quiet", 1)[0] for _ in range(100)]
    busy = [_trace(rng, "busy", 1)[0] for _ in range(2000)]
    sampler.sink.write_spans(to_batch(quiet + busy))
    weights = sampler.weights()
    assert {weights[span.trace_id, span.span_id] for span in quiet} == {1.0}
    assert {weights[span.trace_id, span.span_id] for span in busy[:100]} == {1.0}
    rest = [weights[span.trace_id, span.span_id] for span in busy[100:]]
    assert set(rest) == {0.0, 10.0}
    # Binomial(1900, 0.1): six standard deviations are 78.
    assert abs(np.count_nonzero(rest) - 190) < 78


def test_the_rate_looks_back_one_second() -> None:
    settings = replace(ALWAYS, rate_threshold=100)
    sampler = _Sampler(settings)
    rng = random.Random(6)
    for _ in range(2):
        sampler.sink.write_spans(to_batch([_trace(rng, "web", 1)[0] for _ in range(100)]))
        sampler.clock.now += _NS_PER_S
    first, second = (batch.share for batch in sampler.store.batches)
    # The second hundred come right at the beginning of the next second: those of the last one still count.
    assert first.tolist() == [1.0] * 100
    assert second.tolist() == [pytest.approx(0.1)] * 100
    sampler.clock.now += 5 * _NS_PER_S
    sampler.sink.write_spans(to_batch([_trace(rng, "web", 1)[0]]))
    assert sampler.store.batches[-1].share.tolist() == [1.0]


def test_a_full_share_keeps_everything_with_weight_one_and_without_waiting() -> None:
    sampler = _Sampler(replace(ALWAYS, share=1.0))
    sampler.sink.write_spans(to_batch(_trace(random.Random(1))))
    assert set(sampler.weights().values()) == {1.0}
    assert sampler.judge.patience_s == 0
    assert _Sampler(ALWAYS).judge.patience_s == 10


def test_a_share_of_none_keeps_the_remarkable_alone() -> None:
    sampler = _Sampler(replace(ALWAYS, share=0.0))
    rng = random.Random(2)
    spans = [_trace(rng, n_spans=1)[0] for _ in range(50)]
    spans[7] = replace(spans[7], status=2)
    sampler.sink.write_spans(to_batch(spans))
    weights = sampler.weights()
    assert [weights[span.trace_id, span.span_id] for span in spans] == [0.0] * 7 + [1.0] + [0.0] * 42


def test_the_slowest_of_an_operation_are_kept() -> None:
    sampler = _Sampler(replace(ALWAYS, share=0.0, slow_percentile=0.99))
    rng = random.Random(8)
    usual = [replace(_trace(rng, n_spans=1)[0], end_ns=rng.randrange(1, 20) * _MS) for _ in range(1000)]
    sampler.sink.write_spans(to_batch(usual))
    sampler.weights()
    slow, fast = (_trace(rng, n_spans=2) for _ in range(2))
    other = replace(_trace(rng, n_spans=1)[0], name="other", end_ns=_NS_PER_S)
    slow[0] = replace(slow[0], end_ns=500 * _MS)
    sampler.sink.write_spans(to_batch([*slow, *fast, other]))
    weights = sampler.weights()
    assert [weights[span.trace_id, span.span_id] for span in [*slow, *fast]] == [1.0, 1.0, 0.0, 0.0]
    # An operation that was seen once has no slowest percent yet.
    assert weights[other.trace_id, other.span_id] == 0.0


def _kept_by(policy: Policy, span: PlainSpan) -> bool:
    sampler = _Sampler(replace(ALWAYS, share=0.0, keep_errors=False, policies=(policy,)))
    sampler.sink.write_spans(to_batch([span, _trace(random.Random(9), "web", 1)[0]]))
    return bool(sampler.store.batches[0].keep[0] == KeepReason.POLICY)


SPAN = PlainSpan(
    b"t" * 16, span_id(1), "POST /chat", 0, 3 * _NS_PER_S, status=2,
    attributes={"user": "ada", "tier": 3, "beta": True, "gen_ai.usage.cost": 0.25},
    resource={"service.name": "web", "region": "eu", "tier": 1},
)  # fmt: skip


@pytest.mark.parametrize(
    ("policy", "is_kept"),
    [
        (Policy("p", services=("api", "web")), True),
        (Policy("p", services=("api",)), False),
        (Policy("p", operation="POST .*"), True),
        (Policy("p", operation="POST"), False),
        (Policy("p", min_duration_ns=3 * _NS_PER_S), True),
        (Policy("p", min_duration_ns=3 * _NS_PER_S + 1), False),
        (Policy("p", min_cost=0.25), True),
        (Policy("p", min_cost=0.26), False),
        (Policy("p", only_errors=True), True),
        (Policy("p", attributes=(AttributeTest("user", equals="ada"),)), True),
        (Policy("p", attributes=(AttributeTest("user", equals="eve"),)), False),
        (Policy("p", attributes=(AttributeTest("user", pattern="a.a"),)), True),
        (Policy("p", attributes=(AttributeTest("user", pattern="a"),)), False),
        (Policy("p", attributes=(AttributeTest("beta", equals=True),)), True),
        (Policy("p", attributes=(AttributeTest("beta", equals=False),)), False),
        (Policy("p", attributes=(AttributeTest("tier", equals=3),)), True),
        # The span's own attribute counts, not its resource's of the same name.
        (Policy("p", attributes=(AttributeTest("tier", equals=1),)), False),
        (Policy("p", attributes=(AttributeTest("tier", least=2, most=3),)), True),
        (Policy("p", attributes=(AttributeTest("tier", least=3.5),)), False),
        (Policy("p", attributes=(AttributeTest("user", least=0),)), False),
        (Policy("p", attributes=(AttributeTest("region", equals="eu"),)), True),
        (Policy("p", attributes=(AttributeTest("region"), AttributeTest("nothing"))), False),
        (Policy("p", services=("web",), attributes=(AttributeTest("user", equals="eve"),)), False),
    ],
)
def test_policies(policy: Policy, is_kept: bool) -> None:
    assert _kept_by(policy, SPAN) is is_kept


@pytest.mark.parametrize(
    ("policy", "words"),
    [
        (Policy("empty"), "'empty' names no condition"),
        (Policy("bad", operation="("), "'bad'.*no regular expression"),
        (Policy("worse", attributes=(AttributeTest("a", pattern="["),)), "'worse'.*no regular expression"),
    ],
)
def test_policies_that_cannot_be_followed_are_refused_by_name(policy: Policy, words: str) -> None:
    with pytest.raises(BadPolicyError, match=words):
        _Sampler(replace(ALWAYS, policies=(policy,)))


def test_memory_is_bounded_and_what_is_forgotten_is_decided_by_its_id() -> None:
    settings = replace(ALWAYS, max_traces=100)
    small, large = _Sampler(settings), _Sampler(replace(settings, max_traces=100_000))
    rng = random.Random(11)
    spans = [_trace(rng, n_spans=1)[0] for _ in range(5000)]
    for sampler in (small, large):
        for begin in range(0, len(spans), 700):
            sampler.sink.write_spans(to_batch(spans[begin : begin + 700]))
    assert small.ledger.n_traces <= 100
    assert small.weights() == large.weights()


def test_tenants_with_the_same_ids_are_told_apart() -> None:
    ledger = TraceLedger(100)
    ids = ids_of([b"x" * 16], 16)
    assert ledger.keys("a", ids)[0] != ledger.keys("b", ids)[0]
    assert ledger.keys(DEFAULT_TENANT, ids)[0] == ledger.keys(DEFAULT_TENANT, ids)[0]
