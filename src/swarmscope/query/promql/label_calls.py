"""label_replace, label_join, sort_by_label and the labels that absent() makes up."""

from __future__ import annotations

import re
from functools import cmp_to_key

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from swarmscope.lang.promql.nodes import MatrixSelector, Node, VectorSelector
from swarmscope.model.errors import QueryFailedError, UnsupportedQueryError
from swarmscope.model.labels import METRIC_NAME
from swarmscope.model.matchers import MatchOperator
from swarmscope.model.series import LabelFrame
from swarmscope.query.promql.context import Evaluation
from swarmscope.query.promql.frames import Frame
from swarmscope.query.promql.label_columns import column, labels_of, no_labels, sorted_order, texts_of, with_column
from swarmscope.query.promql.same_labels import merge_same_labels
from swarmscope.query.promql.selectors import take_rows_of
from swarmscope.query.promql.symbols import QuerySymbols

_REFERENCE = re.compile(r"\$(?:(\$)|\{([A-Za-z0-9_]+)\}|([A-Za-z0-9_]+))")
_GROUPS = re.compile(r"\\.|\[(?:\\.|\^?\]?(?:\\.|[^\]\\])*)\]|\((?!\?)|\(\?P?<(?P<name>[A-Za-z_][A-Za-z0-9_]*)>")
_MAX_REFERENCE = 9  # RE2's rewrite syntax knows \0 to \9
_CHUNKS = re.compile(r"\d+|\D+", re.ASCII)


def label_replace(frame: Frame, texts: list[str], evaluation: Evaluation) -> Frame:
    """`label_replace(v, destination, replacement, source, regex)`: RE2, the whole source value must match."""
    destination, replacement, source, regex = texts
    if not destination:
        raise QueryFailedError(f"invalid destination label name in label_replace(): {destination}")
    pattern = f"^(?s:{regex})$"
    values, where = texts_of(column(frame.labels, source), evaluation.symbols)
    evaluation.cancellation.check()
    references = sum(map(len, values)) * len(_REFERENCE.findall(replacement))
    evaluation.symbols.refuse_growth(references + len(values) * len(replacement))
    array = pa.array(values, pa.string())
    try:
        matched = pc.match_substring_regex(array, pattern).to_numpy(zero_copy_only=False)
        rewritten = pc.replace_substring_regex(array, pattern, _rewrite(replacement, regex)).to_pylist()
    except pa.ArrowInvalid:
        raise QueryFailedError(f"invalid regular expression in label_replace(): {regex}") from None
    codes = evaluation.symbols.codes([new if hit else "" for new, hit in zip(rewritten, matched, strict=True)])
    before = column(frame.labels, destination)
    after = np.where(matched[where], codes[where], before).astype(np.int32)
    return _relabelled(frame, with_column(frame.labels, destination, after))


def _rewrite(replacement: str, regex: str) -> str:
    """Go's `$1`, `${name}` and `$$` as RE2's `\\1`; a group that does not exist is nothing."""
    names = [match["name"] for match in _GROUPS.finditer(regex) if match.group().startswith("(")]

    def reference(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        name = match[2] or match[3]
        number = int(name) if name.isdigit() else (names.index(name) + 1 if name in names else -1)
        if number < 0 or number > len(names):
            return ""
        if number > _MAX_REFERENCE:
            raise UnsupportedQueryError(f"label_replace() with a reference to group {number} is not supported")
        return f"\\{number}"

    return _REFERENCE.sub(reference, replacement.replace("\\", "\\\\"))


def label_join(frame: Frame, destination: str, separator: str, sources: list[str], evaluation: Evaluation) -> Frame:
    """`label_join(v, destination, separator, source…)`."""
    for name, role in ((destination, "destination"), *((source, "source") for source in sources)):
        if not name:
            raise QueryFailedError(f"invalid {role} label name in label_join(): {name}")
    evaluation.cancellation.check()
    total = 0
    joined = np.full(frame.n_series, "", object)
    for k, source in enumerate(sources):
        values, where = texts_of(column(frame.labels, source), evaluation.symbols)
        lengths = np.array([len(value) + len(separator) for value in values], np.int64)
        total += int(lengths[where].sum()) if values else 0
        evaluation.symbols.refuse_growth(total)
        part = np.array(values, object)[where] if values else joined
        joined = part if k == 0 else joined + separator + part
    codes = evaluation.symbols.codes([str(text) for text in joined])
    return _relabelled(frame, with_column(frame.labels, destination, codes))


def _relabelled(frame: Frame, labels: LabelFrame) -> Frame:
    return merge_same_labels(Frame(labels, frame.values, frame.present, frame.histograms))


def natural_less(a: str, b: str) -> bool:
    """Whether a sorts before b when runs of digits compare as numbers."""
    chunks_a, chunks_b = _CHUNKS.findall(a), _CHUNKS.findall(b)
    for i, chunk in enumerate(chunks_a):
        if i >= len(chunks_b):
            return False
        other = chunks_b[i]
        numbers = chunk.isdigit() and other.isdigit()
        if int(chunk) == int(other) if numbers else chunk == other:
            if i == len(chunks_a) - 1:
                return True
            if i == len(chunks_b) - 1:
                return False
            continue
        return int(chunk) < int(other) if numbers else chunk < other
    return False


def sort_by_label(frame: Frame, names: list[str], *, descending: bool, symbols: QuerySymbols) -> Frame:
    """Series by label values in natural order, ties by the whole label set; an instant query's order."""
    rank = np.empty(frame.n_series, np.int64)
    rank[sorted_order(frame.labels, symbols)] = np.arange(frame.n_series)
    rows = [labels_of(frame.labels, row, symbols) for row in range(frame.n_series)]

    def compare(a: int, b: int) -> int:
        for name in names:
            left, right = rows[a].get(name, ""), rows[b].get(name, "")
            if left != right:
                return -1 if natural_less(left, right) else 1
        return int(rank[a] - rank[b])

    order = sorted(range(frame.n_series), key=cmp_to_key(compare), reverse=descending)
    return take_rows_of(frame, np.array(order, np.int64))


def sort_by_value(frame: Frame, *, descending: bool) -> Frame:
    """Series by their value at the first step, NaN last; histograms drop out."""
    floats = frame.floats_present()[:, 0]
    rows = np.flatnonzero(floats)
    values = frame.values[rows, 0]
    keys = -values if descending else values
    order = np.argsort(np.where(np.isnan(keys), np.inf, keys), kind="stable")
    nan_last = np.concatenate([order[~np.isnan(values[order])], order[np.isnan(values[order])]])
    return take_rows_of(Frame(frame.labels, frame.values, frame.present), rows[nan_last])


def absent_frame(argument: Node, missing: NDArray[np.bool_], evaluation: Evaluation) -> Frame:
    """What absent() answers: 1 where nothing is there, with the labels that the selector fixes."""
    labels = absent_labels(argument)
    symbols = evaluation.symbols
    codes = np.array([[symbols.code(value)] for value in labels.values()], np.int32).reshape(len(labels), 1)
    frame = Frame(LabelFrame(tuple(labels), codes), np.ones((1, len(missing))), missing[None, :].copy())
    if missing.any():
        return frame
    return Frame(no_labels(0), np.zeros((0, len(missing))), np.zeros((0, len(missing)), np.bool_))


def absent_labels(argument: Node) -> dict[str, str]:
    """Labels that the selector's equality matchers fix; a label matched twice is left out."""
    selector = argument.vector if isinstance(argument, MatrixSelector) else argument
    if not isinstance(selector, VectorSelector):
        return {}
    fixed: dict[str, str] = {}
    seen: set[str] = set()
    for matcher in selector.matchers:
        if matcher.name == METRIC_NAME:
            continue
        if matcher.operator is MatchOperator.EQUAL and matcher.name not in seen:
            fixed[matcher.name] = matcher.value
            seen.add(matcher.name)
        else:
            fixed.pop(matcher.name, None)
    return {name: value for name, value in fixed.items() if value}
