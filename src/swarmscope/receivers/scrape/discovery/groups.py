"""What every discovery does: publish its target groups whenever they may have changed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from swarmscope.receivers.scrape.config_model import TargetGroup

Publish = Callable[[Sequence[TargetGroup]], None]


class Discovery(Protocol):
    """Finds targets until it is cancelled."""

    async def run(self, publish: Publish) -> None:
        """Call `publish` with ALL groups of this discovery, at once and after each change; ends by cancellation.

        A refresh that fails MUST leave the groups of the last good one in place.
        """
        ...


class StaticDiscovery:
    """`static_configs`: the groups are known and never change."""

    def __init__(self, groups: Sequence[TargetGroup]) -> None:
        self._groups = groups

    async def run(self, publish: Publish) -> None:
        """Publish once."""
        publish(self._groups)
