"""Families as a registry of `prometheus_client`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from swarmscope.sdk.intelligence.families import Family


class FamilyCollector(Collector):
    """Gives the families' samples as they are."""

    def __init__(self, families: Sequence[Family]) -> None:
        self._families = families

    def collect(self) -> Iterator[Metric]:
        """Called by every scrape."""
        for family in self._families:
            # There a counter's name has no ending, and its samples have.
            name = family.name.removesuffix("_total") if family.kind == "counter" else family.name
            metric = Metric(name, family.documentation, family.kind)
            for suffix, labels, value in family.samples():
                metric.add_sample(family.name + suffix, labels, value)
            yield metric


def to_registry(families: Sequence[Family]) -> CollectorRegistry:
    """A registry with these families and nothing else."""
    registry = CollectorRegistry()
    registry.register(FamilyCollector(families))
    return registry
