"""Which rules a commit concerns: from series that have new samples to rules that read them.

The commit path only looks flags up; what remains is sorted out by the thread that evaluates.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from swarmscope.alerting.rules.rules import Rule, RuleKind
from swarmscope.lang.logql import parse_metric_query
from swarmscope.lang.promql import parse_promql
from swarmscope.lang.promql.nodes import MatrixSelector, VectorSelector, walk
from swarmscope.model.errors import SwarmscopeError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import MatchOperator

_UNSEEN, _NOBODY, _WATCHED = 0, 1, 2
_MAX_WAITING = 4_000_000  # series numbers; beyond, every rule over metrics is evaluated


class RuleAt(NamedTuple):
    """A rule by its group's key and its position there."""

    group: str
    position: int


class SeriesNames(NamedTuple):
    """What the catalogue tells of series numbers."""

    metric_ids: Callable[[NDArray[np.int64]], NDArray[np.uint32]]
    metric_name: Callable[[int], str]


def metric_names(rule: Rule) -> set[str]:
    """Names of the metrics that a PromQL rule reads; those that are not named by equality are left out."""
    if rule.kind != RuleKind.PROMQL or not rule.expr:
        return set()
    try:
        tree = parse_promql(rule.expr)
    except SwarmscopeError:
        return set()
    found = set()
    for node in walk(tree):
        selector = node.vector if isinstance(node, MatrixSelector) else node
        if isinstance(selector, VectorSelector):
            found |= {
                matcher.value
                for matcher in selector.matchers
                if matcher.name == METRIC_NAME and matcher.operator == MatchOperator.EQUAL
            }
    return found


class Triggers:
    """Collects what was committed until it is asked. A `CommitObserver`; thread-safe."""

    def __init__(self, names: SeriesNames, wake: Callable[[], None]) -> None:
        self._names, self._wake = names, wake
        self._lock = threading.Lock()
        self._flags = np.zeros(1024, np.uint8)
        self._waiting: list[NDArray[np.int64]] = []
        self._n_waiting = 0
        self._has_lines = self._has_spans = False
        self._by_metric: dict[str, set[RuleAt]] = {}
        self._of_lines: set[RuleAt] = set()
        self._of_spans: set[RuleAt] = set()
        self._rules_of_id: dict[int, set[RuleAt]] = {}

    def watch(self, rules: Mapping[RuleAt, Rule]) -> None:
        """These are the rules from now on."""
        by_metric: dict[str, set[RuleAt]] = {}
        for at, rule in rules.items():
            for name in metric_names(rule):
                by_metric.setdefault(name, set()).add(at)
        with self._lock:
            self._by_metric, self._rules_of_id = by_metric, {}
            self._of_lines = {at for at, rule in rules.items() if rule.kind == RuleKind.LOGQL and _is_query(rule)}
            self._of_spans = {at for at, rule in rules.items() if rule.kind == RuleKind.TRACEQL}
            self._flags[:] = _UNSEEN

    def metrics_committed(self, series: NDArray[np.int64]) -> None:
        """As `CommitObserver`."""
        if not self._by_metric or not len(series):
            return
        with self._lock:
            top = int(series.max()) + 1
            if top > len(self._flags):
                self._flags = np.concatenate([self._flags, np.zeros(2 * top - len(self._flags), np.uint8)])
            hit = series[self._flags[series] != _NOBODY]
            if not len(hit) or self._n_waiting > _MAX_WAITING:
                return
            self._waiting.append(hit.copy())
            self._n_waiting += len(hit)
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
            waiting, self._waiting, self._n_waiting = self._waiting, [], 0
            found: set[RuleAt] = set()
            if self._has_lines:
                found |= self._of_lines
            if self._has_spans:
                found |= self._of_spans
            self._has_lines = self._has_spans = False
        if waiting:
            found |= self._rules_of(np.unique(np.concatenate(waiting)))
        return found

    def _rules_of(self, series: NDArray[np.int64]) -> set[RuleAt]:
        ids = self._names.metric_ids(series)
        found: set[RuleAt] = set()
        unwatched = []
        for metric_id in np.unique(ids).tolist():
            rules = self._rules_of_id.get(metric_id)
            if rules is None:
                rules = self._by_metric.get(self._names.metric_name(metric_id), set())
                self._rules_of_id[metric_id] = rules
            if not rules:
                unwatched.append(metric_id)
            found |= rules
        is_nobody = np.isin(ids, np.array(unwatched, ids.dtype))
        with self._lock:
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
