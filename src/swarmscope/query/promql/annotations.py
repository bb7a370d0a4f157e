"""Warnings and infos that go with an answer, in Prometheus' words and with the place in the query."""

from __future__ import annotations

from swarmscope.lang.promql import Node, line_column
from swarmscope.lang.promql.go_numbers import text_number
from swarmscope.lang.promql.printer import quote

_WARNING = "PromQL warning: "
_INFO = "PromQL info: "
_MONOTONICITY_MANUAL = "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile"


class Annotations:
    """Collects annotations of one query; the same text is kept once. Belongs to one thread."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._warnings: dict[str, None] = {}
        self._infos: dict[str, None] = {}

    @property
    def warnings(self) -> tuple[str, ...]:
        """What casts doubt on the answer."""
        return tuple(self._warnings)

    @property
    def infos(self) -> tuple[str, ...]:
        """What may be of interest."""
        return tuple(self._infos)

    def add(self, text: str, node: Node) -> None:
        """Add an annotation (`PromQL warning: …` or `PromQL info: …`) about a node."""
        placed = text
        if node.span is not None:
            placed = f"{text} ({line_column(self._query, node.span.start)})"
        target = self._infos if text.startswith(_INFO) else self._warnings
        target[placed] = None


def invalid_quantile(q: float) -> str:
    """A quantile outside [0, 1]."""
    return f"{_WARNING}quantile value should be between 0 and 1, got {text_number(q)}"


def invalid_ratio(ratio: float, capped: float) -> str:
    """A limit_ratio outside [-1, 1]."""
    return (
        f"{_WARNING}ratio value should be between -1 and 1, got {text_number(ratio)}, capping to {text_number(capped)}"
    )


def bad_bucket_label(metric: str, value: str) -> str:
    """A classic bucket whose `le` is no number."""
    text = f'{_WARNING}bucket label "le" is missing or has a malformed value of {quote(value)}'
    return text + (f" for metric name {quote(metric)}" if metric else "")


def mixed_floats_histograms_in_aggregation() -> str:
    """A group with floats and histograms."""
    return f"{_WARNING}encountered a mix of histograms and floats for aggregation"


def mixed_classic_native(metric: str) -> str:
    """Classic buckets and a native histogram of the same labels."""
    text = f"{_WARNING}vector contains a mix of classic and native histograms"
    return text + (f" for metric name {quote(metric)}" if metric else "")


def possible_non_counter(metric: str) -> str:
    """rate or increase of something not named like a counter."""
    return f"{_INFO}metric might not be a counter, name does not end in _total/_sum/_count/_bucket: {quote(metric)}"


def forced_monotonicity(metric: str) -> str:
    """Classic bucket counts that fall."""
    text = f"{_INFO}input to histogram_quantile needed to be fixed for monotonicity (see {_MONOTONICITY_MANUAL})"
    return text + (f" for metric name {quote(metric)}" if metric else "")


def incompatible_operands(op: str, lhs: str, rhs: str) -> str:
    """A binary operator that does not work on these kinds of samples."""
    return f"{_INFO}incompatible sample types encountered for binary operator {quote(op)}: {lhs} {op} {rhs}"


def histogram_ignored_in_aggregation(op: str) -> str:
    """An aggregation that works on floats alone."""
    return f"{_INFO}ignored histogram in {op} aggregation"


def histogram_ignored_in_range(metric: str) -> str:
    """A range function that works on floats alone."""
    return f"{_INFO}ignored histograms in a range containing both floats and histograms for metric name {quote(metric)}"
