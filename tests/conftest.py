"""Fixtures and settings that every package's tests share."""

from __future__ import annotations

import gc
import signal
from itertools import groupby, islice

import pytest
from hypothesis import HealthCheck, settings

from tests.portion import portion

# A shell that starts a run in the background has it ignore interrupts, and programs that tests start inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The machines are shared and a first call may compile: no test depends on time.
settings.register_profile(
    "swarmscope", max_examples=portion(100, 40), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("swarmscope")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Long tests first, so that no process is alone with one at the end."""
    n_processes = getattr(config, "workerinput", {}).get("workercount", 1)
    items[:] = in_shares(items, n_processes)


def pytest_collection_finish() -> None:
    """What collecting has made stays to the end: the collector of garbage need not look at it again and again."""
    gc.collect()
    gc.freeze()


def in_shares(items: list[pytest.Item], n_shares: int) -> list[pytest.Item]:
    """Equal shares one behind the other, each beginning with its part of the slow tests.

    pytest-xdist gives every process one of as many equal runs of tests and lets those that have finished take from the
    ends of others'. The tests of a slow module stay together, as they share its server.
    """
    slow = [item for item in items if item.get_closest_marker("slow")]
    quick = iter([item for item in items if not item.get_closest_marker("slow")])
    modules = [list(group) for _, group in groupby(slow, key=lambda item: item.nodeid.partition("::")[0])]
    ordered: list[pytest.Item] = []
    for share in range(n_shares):
        size = len(items) * (share + 1) // n_shares - len(ordered)
        own = [item for module in modules[share::n_shares] for item in module]
        ordered += own
        ordered += islice(quick, max(0, size - len(own)))
    return [*ordered, *quick]
