"""Answers of queries in unit tests of rules, and how they are compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from swarmscope.alerting.rules.unit_test_model import ExpectedSample
from swarmscope.lang.promql import ValueType
from swarmscope.lang.promql.go_numbers import text_number
from swarmscope.lang.series_notation.series import parse_metric, parse_values
from swarmscope.lang.series_notation.values import ScriptHistogram, Value
from swarmscope.model.errors import QueryFailedError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.series import ABSENT
from swarmscope.query.histograms.notation import to_script_histogram
from swarmscope.query.promql.engine import PromqlEngine, QueryRequest

Pairs = list[tuple[str, str]]
AlertTexts = tuple[Pairs, Pairs]  # labels and annotations, sorted
Row = tuple[tuple[tuple[str, str], ...], Value]


def ask(engine: PromqlEngine, expr: str, at_ms: int) -> list[Row]:
    """Rows of an instant query, by labels. Raises the four query errors of `model.errors`."""
    result = engine.query_instant(QueryRequest(expr, at_ms, at_ms))
    if result.kind not in (ValueType.VECTOR, ValueType.SCALAR):
        raise QueryFailedError("rule result is not a vector or scalar")
    rows: list[Row] = []
    for row in np.flatnonzero(result.present[:, 0]).tolist():
        codes = result.labels.codes[:, row].tolist()
        labels = {
            name: text
            for name, code in zip(result.labels.names, codes, strict=True)
            if code != ABSENT and (text := result.symbols.text(code))
        }
        cell = -1 if result.histograms is None else int(result.histograms.cells[row, 0])
        value: Value = float(result.values[row, 0])
        if result.histograms is not None and cell >= 0:
            value = to_script_histogram(result.histograms.rows, cell)
        rows.append((tuple(sorted(labels.items())), value))
    return sorted(rows, key=lambda row: row[0])


def expected_rows(samples: Sequence[ExpectedSample]) -> list[Row]:
    """Rows that a test expects, by labels. Raises ValueError."""
    rows: list[Row] = []
    for sample in samples:
        try:
            rows.append((_labels(sample.labels), _histogram(sample.histogram) if sample.histogram else sample.value))
        except ValueError as error:
            raise ValueError(f"labels {sample.labels!r}: {error}") from None
    return sorted(rows, key=lambda row: row[0])


def _labels(text: str) -> tuple[tuple[str, str], ...]:
    if not text.strip():
        return ()
    labels, rest = parse_metric(text.strip())
    if rest.strip():
        raise ValueError(f"unexpected {rest.strip()!r} after the labels")
    return labels


def _histogram(text: str) -> ScriptHistogram:
    values = parse_values(text)
    if len(values) != 1:
        raise ValueError(f"expected 1 value, got {len(values)}")
    if not isinstance(values[0], ScriptHistogram):
        raise ValueError(f"expected histogram, got {values[0]}")
    return values[0]


def is_same_answer(wanted: Sequence[Row], got: Sequence[Row], *, is_fuzzy: bool) -> bool:
    """Whether rows are equal; fuzzily, where the last bit of a number may differ. NaN equals nothing."""
    return len(wanted) == len(got) and all(
        expected[0] == found[0] and _is_same(expected[1], found[1], is_fuzzy)
        for expected, found in zip(wanted, got, strict=True)
    )


def _is_same(wanted: Value, got: Value, is_fuzzy: bool) -> bool:
    if isinstance(wanted, ScriptHistogram) or isinstance(got, ScriptHistogram):
        if not isinstance(wanted, ScriptHistogram) or not isinstance(got, ScriptHistogram):
            return False
        return wanted == (got if wanted.hint is not None else replace(got, hint=None))
    if wanted == got:
        return True
    return is_fuzzy and (math.nextafter(wanted, math.inf) == got or math.nextafter(wanted, -math.inf) == got)


def _pairs_text(pairs: Sequence[tuple[str, str]]) -> str:
    return "{" + ", ".join(f'{name}="{value}"' for name, value in pairs) + "}"


def alerts_text(alerts: Sequence[AlertTexts]) -> str:
    """Alerts as promtool shows them."""
    if not alerts:
        return "[]"
    lines = [
        f"            {number}:\n              Labels:{_pairs_text(labels)}\n"
        f"              Annotations:{_pairs_text(annotations)}"
        for number, (labels, annotations) in enumerate(alerts)
    ]
    return "[\n" + ",\n".join(lines) + "\n            ]"


def rows_text(rows: Sequence[Row]) -> str:
    """Rows as promtool shows them."""
    return ", ".join(f"{_series_text(labels)} {_value_text(value)}" for labels, value in rows) or "nil"


def _series_text(labels: tuple[tuple[str, str], ...]) -> str:
    name = dict(labels).get(METRIC_NAME, "")
    others = [pair for pair in labels if pair[0] != METRIC_NAME]
    return name + (_pairs_text(others) if others or not name else "")


def _value_text(value: Value) -> str:
    return str(value) if isinstance(value, ScriptHistogram) else text_number(value)
