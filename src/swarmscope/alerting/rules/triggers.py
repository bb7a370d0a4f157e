"""Which rules a commit concerns: from series that have new samples to rules that read them.

The commit path only looks flags up; what remains is sorted out by the thread that evaluates.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.alerting.rules.evaluation import ALERTS, ALERTS_FOR_STATE
from swarmscope.alerting.rules.firing_memory import is_match
from swarmscope.alerting.rules.rules import RecordingRule, Rule, RuleKind
from swarmscope.lang.logql import parse_metric_query
from swarmscope.lang.promql import parse_promql
from swarmscope.lang.promql.nodes import MatrixSelector, VectorSelector, walk
from swarmscope.model.errors import SwarmscopeError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import Matcher, MatchOperator

_UNSEEN, _NOBODY, _WATCHED = 0, 1, 2
# Every evaluation of an alerting rule writes these: a rule over them would have itself evaluated without end.
_OWN_SERIES = frozenset({ALERTS, ALERTS_FOR_STATE})


class RuleAt(NamedTuple):
    """A rule by its group's key and its position there."""

    group: str
    position: int


class SeriesNames(NamedTuple):
    """What the catalogue tells of series numbers."""

    metric_ids: Callable[[NDArray[np.int64]], NDArray[np.uint32]]
    metric_name: Callable[[int], str]


def name_matchers(rule: Rule) -> list[tuple[Matcher, ...]]:
    """What each selector of a PromQL rule says of the metric's name; () where it says nothing."""
    if rule.kind != RuleKind.PROMQL or not rule.expr:
        return []
    try:
        tree = parse_promql(rule.expr)
    except SwarmscopeError:
        return []
    selectors = (node.vector if isinstance(node, MatrixSelector) else node for node in walk(tree))
    return [
        tuple(matcher for matcher in selector.matchers if matcher.name == METRIC_NAME)
        for selector in selectors
        if isinstance(selector, VectorSelector)
    ]


class _Readers:
    """Which rules read a metric, by its name."""

    def __init__(self, rules: Mapping[RuleAt, Rule]) -> None:
        self._by_name: dict[str, set[RuleAt]] = {}
        self._by_pattern: dict[tuple[Matcher, ...], set[RuleAt]] = {}
        self._writers: dict[str, set[RuleAt]] = {}
        self._of_id: dict[int, set[RuleAt]] = {}
        for at, rule in rules.items():
            if isinstance(rule, RecordingRule):
                self._writers.setdefault(rule.record, set()).add(at)
            for matchers in name_matchers(rule):
                equal = [each.value for each in matchers if each.operator == MatchOperator.EQUAL]
                if equal:
                    self._by_name.setdefault(equal[0], set()).add(at)
                else:
                    self._by_pattern.setdefault(matchers, set()).add(at)

    def __bool__(self) -> bool:
        return bool(self._by_name or self._by_pattern)

    def of(self, metric_id: int, name: Callable[[int], str]) -> set[RuleAt]:
        """Rules that read the metric; those that write it themselves are left out."""
        found = self._of_id.get(metric_id)
        if found is None:
            found = self._of_id[metric_id] = self._find(name(metric_id))
        return found

    def _find(self, name: str) -> set[RuleAt]:
        if name in _OWN_SERIES:
            return set()
        found = set(self._by_name.get(name, ()))
        for matchers, rules in self._by_pattern.items():
            if all(is_match(matcher, {METRIC_NAME: name}) for matcher in matchers):
                found |= rules
        return found - self._writers.get(name, set())


class Triggers:
    """Collects what was committed until it is asked. A `CommitObserver`; thread-safe."""

    def __init__(self, names: SeriesNames, wake: Callable[[], None]) -> None:
        self._names, self._wake = names, wake
        self._lock = threading.Lock()
        self._flags = np.zeros(1024, np.uint8)
        self._is_waiting = np.zeros(1024, np.bool_)  # series that were committed since the last `take`
        self._has_series = self._has_lines = self._has_spans = False
        self._readers = _Readers({})
        self._of_lines: set[RuleAt] = set()
        self._of_spans: set[RuleAt] = set()

    def watch(self, rules: Mapping[RuleAt, Rule]) -> None:
        """These are the rules from now on."""
        readers = _Readers(rules)
        with self._lock:
            self._readers = readers
            self._of_lines = {at for at, rule in rules.items() if rule.kind == RuleKind.LOGQL and _is_query(rule)}
            self._of_spans = {at for at, rule in rules.items() if rule.kind == RuleKind.TRACEQL}
            self._flags[:] = _UNSEEN

    def metrics_committed(self, series: NDArray[np.int64]) -> None:
        """As `CommitObserver`."""
        if not self._readers or not len(series):
            return
        with self._lock:
            top = int(series.max()) + 1
            if top > len(self._flags):
                more = 2 * top - len(self._flags)
                self._flags = np.concatenate([self._flags, np.zeros(more, np.uint8)])
                self._is_waiting = np.concatenate([self._is_waiting, np.zeros(more, np.bool_)])
            hit = series[self._flags[series] != _NOBODY]
            if not len(hit):
                return
            self._is_waiting[hit] = self._has_series = True
        self._wake()

    def logs_committed(self, streams: NDArray[np.int64]) -> None:
        """As `CommitObserver`."""
        if self._of_lines and len(streams):
            self._has_lines = True
            self._wake()

    def spans_committed(self) -> None:
        """As `CommitObserver`."""
        if self._of_spans:
            self._has_spans = True
            self._wake()

    def take(self) -> set[RuleAt]:
        """The rules that what was committed since the last call concerns."""
        with self._lock:
            found: set[RuleAt] = set()
            if self._has_lines:
                found |= self._of_lines
            if self._has_spans:
                found |= self._of_spans
            series, readers = np.flatnonzero(self._is_waiting) if self._has_series else None, self._readers
            if series is not None:
                self._is_waiting[series] = False
            self._has_series = self._has_lines = self._has_spans = False
        if series is not None:
            found |= self._rules_of(series, readers)
        return found

    def _rules_of(self, series: NDArray[np.int64], readers: _Readers) -> set[RuleAt]:
        ids = self._names.metric_ids(series)
        found: set[RuleAt] = set()
        unwatched = []
        for metric_id in np.unique(ids).tolist():
            rules = readers.of(metric_id, self._names.metric_name)
            if not rules:
                unwatched.append(metric_id)
            found |= rules
        is_nobody = np.isin(ids, np.array(unwatched, ids.dtype))
        with self._lock:
            if readers is self._readers:  # else there are other rules by now
                self._flags[series] = np.where(is_nobody, _NOBODY, _WATCHED)
        return found


def _is_query(rule: Rule) -> bool:
    try:
        parse_metric_query(rule.expr)
    except SwarmscopeError:
        return False
    return True


def by_group(rules: Iterable[RuleAt]) -> dict[str, set[int]]:
    """Positions by group."""
    grouped: dict[str, set[int]] = {}
    for rule in rules:
        grouped.setdefault(rule.group, set()).add(rule.position)
    return grouped
