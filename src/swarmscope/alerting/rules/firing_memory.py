"""Which alerts fire and fired lately, for composite alerts."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence

from swarmscope.alerting.rules.rules import Composite, CompositeOperator
from swarmscope.lang.logql.regexes import compile_regex
from swarmscope.model.matchers import Matcher, MatchOperator

Labels = Mapping[str, str]
_MAX_ALERTS = 100_000


class FiringMemory:
    """The last time at which each alert was seen firing. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: dict[str, tuple[Labels, int]] = {}  # by fingerprint, the longest unseen first

    def saw(self, fingerprint: str, labels: Labels, at_ms: int) -> None:
        """The alert fires at this time."""
        with self._lock:
            self._seen.pop(fingerprint, None)
            self._seen[fingerprint] = (labels, at_ms)
            while len(self._seen) > _MAX_ALERTS:
                del self._seen[next(iter(self._seen))]

    def since(self, at_ms: int) -> list[Labels]:
        """Labels of alerts that fired at this time or later."""
        with self._lock:
            return [labels for labels, seen_ms in self._seen.values() if seen_ms >= at_ms]


def is_match(matcher: Matcher, labels: Labels) -> bool:
    """Whether labels fulfil a matcher; a missing label is the empty text."""
    value = labels.get(matcher.name, "")
    match matcher.operator:
        case MatchOperator.EQUAL:
            return value == matcher.value
        case MatchOperator.NOT_EQUAL:
            return value != matcher.value
        case MatchOperator.REGEX:
            return compile_regex(matcher.value).fullmatch(value) is not None
        case MatchOperator.NOT_REGEX:
            return compile_regex(matcher.value).fullmatch(value) is None


def composite_results(composite: Composite, fired: Sequence[Labels]) -> list[tuple[dict[str, str], float]]:
    """The labels `on` for which the composite holds, and how many of its parts do, in the order of these labels."""
    holding: dict[tuple[str, ...], set[int]] = {}
    for number, part in enumerate(composite.parts):
        for labels in fired:
            if all(is_match(matcher, labels) for matcher in part):
                holding.setdefault(tuple(labels.get(name, "") for name in composite.on), set()).add(number)
    return [
        ({name: value for name, value in zip(composite.on, values, strict=True) if value}, float(len(parts)))
        for values, parts in sorted(holding.items())
        if _holds(composite, parts)
    ]


def _holds(composite: Composite, parts: set[int]) -> bool:
    match composite.operator:
        case CompositeOperator.AND:
            return len(parts) == len(composite.parts)
        case CompositeOperator.OR:
            return bool(parts)
        case CompositeOperator.UNLESS:
            return parts == {0}
        case CompositeOperator.AT_LEAST:
            return len(parts) >= composite.at_least
