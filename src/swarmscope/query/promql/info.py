"""info(): adds the labels of info series (`target_info` unless chosen) to series of the same job and instance.

Reference: https://prometheus.io/docs/prometheus/latest/querying/functions/#info
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import Call, VectorSelector, without_parens
from swarmscope.model.errors import QueryFailedError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.model.series import ABSENT, LabelFrame
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.frames import Frame, Steps
from swarmscope.query.promql.label_columns import (
    column,
    concatenate,
    group_by_labels,
    keep_labels,
    label_set_text,
    texts_of,
    with_column,
)
from swarmscope.query.promql.same_labels import merge_same_labels
from swarmscope.query.promql.selectors import sample_times, take_rows_of, without_empty_series
from swarmscope.query.promql.stacking import stack_frames

_IDENTIFYING = ("instance", "job")
_DEFAULT_INFO = Matcher(METRIC_NAME, MatchOperator.EQUAL, "target_info")


def matches(matcher: Matcher, text: str) -> bool:
    """Whether a label value satisfies a matcher."""
    if matcher.operator in (MatchOperator.EQUAL, MatchOperator.NOT_EQUAL):
        return (matcher.value == text) == (matcher.operator is MatchOperator.EQUAL)
    hit = pc.match_substring_regex(pa.array([text]), f"^(?s:{matcher.value})$")[0].as_py()
    return bool(hit) == (matcher.operator is MatchOperator.REGEX)


def run_info(call: Call, base: Frame, steps: Steps, evaluation: Evaluation) -> Frame:
    """The base vector with labels of the newest matching info series. Raises QueryFailedError on conflicts."""
    selector = without_parens(call.args[1]) if len(call.args) > 1 else None
    matchers = selector.matchers if isinstance(selector, VectorSelector) else ()
    by_name = tuple(m for m in matchers if m.name == METRIC_NAME)
    by_data = tuple(m for m in matchers if m.name != METRIC_NAME)
    ignored = _is_info(base, by_name if matchers else (_DEFAULT_INFO,), evaluation)
    enriched = take_rows_of(base, ~ignored)
    info = _info_samples((*(by_name or (_DEFAULT_INFO,)), *by_data), steps, evaluation)
    chosen, names = _choose(enriched.labels, info, evaluation)
    wanted = {m.name for m in by_data}
    needs_partner = not all(matches(m, "") for m in by_data)
    result = _enrich(enriched, info.labels, chosen, (wanted, needs_partner), names)
    if not ignored.any():
        return without_empty_series(merge_same_labels(result))
    return without_empty_series(merge_same_labels(stack_frames(take_rows_of(base, ignored), result)))


def _is_info(base: Frame, by_name: tuple[Matcher, ...], evaluation: Evaluation) -> NDArray[np.bool_]:
    """Which series are info series themselves and stay as they are."""
    names, where = texts_of(column(base.labels, METRIC_NAME), evaluation.symbols)
    hit = [bool(by_name) and all(matches(m, name) for m in by_name) for name in names]
    return np.array(hit, np.bool_)[where] if names else np.zeros(0, np.bool_)


def _info_samples(matchers: tuple[Matcher, ...], steps: Steps, evaluation: Evaluation) -> Frame:
    """The info series; values are the times of their newest samples."""
    selector = VectorSelector(tuple(dict.fromkeys(matchers)))
    evaluation.fetches.need(selector.matchers, steps.start_ms - evaluation.lookback_ms + 1, steps.end_ms)
    found = sample_times(selector, steps, evaluation)
    adopted = evaluation.symbols.adopt(found.labels.codes)
    return Frame(LabelFrame(found.labels.names, adopted), found.values, found.present)


def _choose(base: LabelFrame, info: Frame, evaluation: Evaluation) -> tuple[list[NDArray[np.int64]], list[int]]:
    """For each info metric: the info row that goes with each base series and step, -1 for none."""
    names = column(info.labels, METRIC_NAME)
    chosen = []
    distinct = [int(code) for code in np.unique(names)]
    for code in distinct:
        rows = np.flatnonzero(names == code)
        own = take_rows_of(info, rows)
        both = concatenate(keep_labels(base, _IDENTIFYING), keep_labels(own.labels, _IDENTIFYING))
        group, first = group_by_labels(both)
        newest = np.full((len(first), info.n_steps), -1, np.int64)
        when = np.full((len(first), info.n_steps), -np.inf)
        for k in range(own.n_series):
            target = group[base.n_series + k]
            here = own.present[k]
            tie = here & (own.values[k] == when[target])
            if tie.any():
                step = int(np.argmax(tie))
                _raise_duplicate(info, (int(newest[target, step]), int(rows[k])), step, evaluation)
            wins = here & (own.values[k] > when[target])
            newest[target, wins] = rows[k]
            when[target, wins] = own.values[k][wins]
        identified = np.zeros(base.n_series, np.bool_)
        for name in _IDENTIFYING:
            identified |= column(base, name) != ABSENT
        chosen.append(np.where(identified[:, None], newest[group[: base.n_series]], -1))
    return chosen, distinct


def _raise_duplicate(info: Frame, rows: tuple[int, int], step: int, evaluation: Evaluation) -> None:
    shown = [label_set_text(info.labels, row, evaluation.symbols) for row in rows]
    at_ms = [round(float(info.values[row, step]) * 1000) for row in rows]
    raise QueryFailedError(
        f"found duplicate series for info metric: existing {shown[0]} @ {at_ms[0]}, new {shown[1]} @ {at_ms[1]}"
    )


def _enrich(
    base: Frame,
    info: LabelFrame,
    chosen: list[NDArray[np.int64]],
    rules: tuple[set[str], bool],
    names: list[int],
) -> Frame:
    """One row for each base series and set of partners that it has at some step."""
    wanted, needs_partner = rules
    if not names:
        present = base.present & (not needs_partner)
        return Frame(base.labels, base.values, present, base.histograms)
    rows, steps = np.nonzero(base.present)
    keys = np.stack([rows, *(partner[rows, steps] for partner in chosen)])
    distinct, where = np.unique(keys, axis=1, return_inverse=True)
    result = take_rows_of(base, distinct[0])
    present = np.zeros(result.present.shape, np.bool_)
    present[where.reshape(-1), steps] = True
    if needs_partner:
        present &= np.asarray(np.any(distinct[1:] >= 0, axis=0)).reshape(-1, 1)
    labels = result.labels
    for name in info.names:
        if name == METRIC_NAME or (wanted and name not in wanted):
            continue
        own = column(labels, name)
        added = np.full(len(own), ABSENT, np.int32)
        values = column(info, name)
        for partner in distinct[1:]:
            value = np.where(partner >= 0, values[np.maximum(partner, 0)], ABSENT)
            if ((added != ABSENT) & (value != ABSENT) & (added != value)).any():
                raise QueryFailedError(f"conflicting label: {name}")
            added = np.where(value != ABSENT, value, added).astype(np.int32)
        labels = with_column(labels, name, np.where(own != ABSENT, own, added).astype(np.int32))
    return Frame(labels, result.values, present, result.histograms)
