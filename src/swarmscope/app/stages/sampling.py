"""Sampling of traces: what looks at spans on their way in, and the store's judge, share a ledger."""

from __future__ import annotations

from dataclasses import dataclass

from swarmscope.app.settings import Settings
from swarmscope.app.settings.traces import PolicySettings
from swarmscope.ingest.sampling.policies import AttributeTest, Policy
from swarmscope.ingest.sampling.sampling_sink import SamplingJudge, SamplingSettings
from swarmscope.ingest.sampling.trace_ledger import TraceLedger

_NS_PER_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Sampling:
    """Made before the store, which asks the judge from its first replay on."""

    settings: SamplingSettings
    ledger: TraceLedger
    judge: SamplingJudge


def make_sampling(settings: Settings) -> Sampling | None:
    """None where every trace is kept."""
    traces = settings.traces
    if traces.sampling_rate >= 1:
        return None
    told = SamplingSettings(
        share=traces.sampling_rate,
        rate_threshold=traces.sampling_threshold,
        patience_s=traces.sampling_wait.seconds,
        keep_errors=traces.keep_errors,
        slow_percentile=1 - traces.keep_slowest,
        policies=tuple(_to_policy(policy) for policy in traces.all_policies()),
        max_traces=traces.max_traces,
    )
    ledger = TraceLedger(told.max_traces)
    return Sampling(told, ledger, SamplingJudge(told, ledger))


def _to_policy(policy: PolicySettings) -> Policy:
    return Policy(
        name=policy.name,
        services=tuple(policy.services),
        operation=policy.operation,
        min_duration_ns=None if policy.min_duration is None else policy.min_duration.ms * _NS_PER_MS,
        min_cost=policy.min_cost,
        only_errors=policy.only_errors,
        attributes=tuple(
            AttributeTest(test.name, test.equals, test.pattern, test.least, test.most) for test in policy.attributes
        ),
    )
