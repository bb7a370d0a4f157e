"""The tree of routes: which receivers an alert goes to, and how it is grouped there.

Source: https://prometheus.io/docs/alerting/latest/configuration/#route-related-settings
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from swarmscope.lang.matchers import LabelsTest, labels_test, to_text
from swarmscope.model.matchers import Matcher

ALL_LABELS = "..."


@dataclass(frozen=True, slots=True)
class RouteOptions:
    """What a route does with its alerts; children inherit it. Times are milliseconds."""

    receiver: str
    group_by: tuple[str, ...] = ()
    groups_by_all: bool = False
    group_wait_ms: int = 30_000
    group_interval_ms: int = 300_000
    repeat_interval_ms: int = 14_400_000
    mute_time_intervals: tuple[str, ...] = ()
    active_time_intervals: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    groups_incidents: bool = False


@dataclass(frozen=True, slots=True)
class Route:
    """A node. `key` tells it from all others in the tree, and is the same after a reload that left it alone."""

    key: str
    options: RouteOptions
    matchers: tuple[Matcher, ...] = ()
    goes_on: bool = False
    children: tuple[Route, ...] = ()
    _test: LabelsTest | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_test", labels_test(self.matchers))

    def match(self, labels: Mapping[str, str]) -> list[Route]:
        """The routes for an alert: the deepest that fit, the first alone unless it goes on."""
        if self._test is not None and not self._test(labels):
            return []
        found: list[Route] = []
        for child in self.children:
            below = child.match(labels)
            found += below
            if below and not child.goes_on:
                break
        return found or [self]

    def walk(self) -> Iterator[Route]:
        """The route and all below."""
        yield self
        for child in self.children:
            yield from child.walk()

    def group_labels(self, labels: Mapping[str, str]) -> dict[str, str]:
        """The labels that an alert's group has; those that the alert does not have are left out."""
        options = self.options
        return {name: value for name, value in labels.items() if options.groups_by_all or name in options.group_by}


def route_key(parent: str, matchers: tuple[Matcher, ...]) -> str:
    """As Alertmanager spells it: the matchers on the way from the root."""
    inside = ",".join(map(to_text, matchers))
    return f"{parent}/{{{inside}}}" if parent else "{}"


def labels_text(labels: Mapping[str, str]) -> str:
    """`{a="1", b="2"}`, sorted, with Go's quotes."""
    return "{" + ", ".join(f"{name}={_quoted(labels[name])}" for name in sorted(labels)) + "}"


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


def group_key(route: Route, labels: Mapping[str, str]) -> str:
    """What a group is known by, to receivers too."""
    return f"{route.key}:{labels_text(labels)}"
