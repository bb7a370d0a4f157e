"""`| line_format`, `| label_format` and `| decolorize`: new lines and labels made of old ones.

Manual: https://grafana.com/docs/loki/latest/query/log_queries/#line-format-expression
"""

from __future__ import annotations

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from swarmscope.lang.logql import LineFormatter
from swarmscope.lang.logql.nodes import FormatLabel, LabelFormat, RenameLabel
from swarmscope.lang.templates import CallPart, FieldPart, SimplePart, TemplateFailedError, TextPart
from swarmscope.model.byte_search import contains
from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.blocks import LabelKind, LineBlock
from swarmscope.query.logql.demand import template_demand
from swarmscope.query.logql.extraction import ABSENT
from swarmscope.query.logql.regexes import from_arrow, present
from swarmscope.query.logql.text_joining import joined_texts

TEMPLATE_ERROR = "TemplateFormatErr"
# Control sequences of ECMA-48: CSI with parameters and a final byte, OSC up to its end, and the short ones.
_COLOURS = "(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]|\x1b\\][^\x07\x1b]*(?:\x07|\x1b\\\\)|\x1b[ -/]+[0-~]|\x1b[0-Z\\\\^_a-~]"


def format_lines(block: LineBlock, template: str, now_ns: int) -> None:
    """Put a template's output in place of the lines; where it fails the line stays."""
    texts, failures = formatted(block, template, now_ns)
    failed = texts.length < 0
    if failed.any():
        before = block.line
        texts = joined_texts([_without_rows(texts, failed), _without_rows(before, ~failed)], len(block))
        _note(block, failures)
    block.line = texts


def format_labels(block: LineBlock, stage: LabelFormat, now_ns: int) -> None:
    """Rename labels and make labels of templates, in the order of the stage."""
    for each in stage.formats:
        if isinstance(each, RenameLabel):
            _rename(block, each)
        else:
            _make(block, each, now_ns)


def _rename(block: LineBlock, change: RenameLabel) -> None:
    column = block.label(change.source)
    found = column.length >= 0
    if found.any() and change.source != change.target:
        block.set_label(change.target, column)
        block.drop_label(change.source, found)


def _make(block: LineBlock, change: FormatLabel, now_ns: int) -> None:
    texts, failures = formatted(block, change.template, now_ns)
    block.set_label(change.target, texts)
    _note(block, failures)


def _note(block: LineBlock, failures: dict[str, list[int]]) -> None:
    for details, rows in failures.items():
        chosen = np.zeros(len(block), np.bool_)
        chosen[rows] = True
        block.note_error(chosen, TEMPLATE_ERROR, details)


def formatted(block: LineBlock, template: str, now_ns: int) -> tuple[Utf8Column, dict[str, list[int]]]:
    """The template's output by line [n], ABSENT where it fails, and the lines that fail by message."""
    formatter = LineFormatter(template, now_ns)
    if formatter.parts is not None:
        return joined_texts([_part_column(block, part) for part in formatter.parts], len(block)), {}
    return _run_each(block, template, formatter)


def _part_column(block: LineBlock, part: SimplePart) -> str | Utf8Column:
    match part:
        case TextPart(text=text):
            return text
        case FieldPart(name=name):
            return block.label(name)
        case CallPart():  # `__line__`, the only function in simple parts
            return block.line


def _run_each(block: LineBlock, template: str, formatter: LineFormatter) -> tuple[Utf8Column, dict[str, list[int]]]:
    """# Slow path: templates that do more than join texts."""
    names, reads_line = template_demand(template)
    labels = {name: _texts(block.label(name)) for name in sorted(names if names is not None else all_names(block))}
    lines = _texts(block.line) if reads_line else None
    times = block.ts_ns.tolist()
    pieces: list[bytes] = []
    failures: dict[str, list[int]] = {}
    lengths = np.empty(len(block), np.int64)
    for row in range(len(block)):
        known = {name: text for name, column in labels.items() if (text := column[row]) is not None}
        try:
            text = formatter.format((lines[row] or "") if lines is not None else "", times[row], known)
        except TemplateFailedError as error:
            failures.setdefault(str(error), []).append(row)
            lengths[row] = ABSENT
            continue
        pieces.append(text.encode("utf-8", "surrogateescape"))
        lengths[row] = len(pieces[-1])
    sizes = np.maximum(lengths, 0)
    return Utf8Column(np.frombuffer(b"".join(pieces), np.uint8), np.cumsum(sizes) - sizes, lengths), failures


def all_names(block: LineBlock) -> set[str]:
    """Names of labels of every kind that any line may have."""
    return {name for kind in LabelKind for name in block.names(kind)}


def _texts(column: Utf8Column) -> list[str | None]:
    """Values [n], None for absent ones; bytes that are not UTF-8 are kept as surrogates."""
    held: dict[tuple[int, int], str] = {}
    texts: list[str | None] = []
    for begin, size in zip(column.start.tolist(), column.length.tolist(), strict=True):
        if size < 0:
            texts.append(None)
            continue
        text = held.get((begin, size))
        if text is None:
            text = column.buffer[begin : begin + size].tobytes().decode("utf-8", "surrogateescape")
            held[begin, size] = text
        texts.append(text)
    return texts


def _without_rows(column: Utf8Column, rows: NDArray[np.bool_]) -> Utf8Column:
    return Utf8Column(column.buffer, column.start, np.where(rows, 0, column.length))


def decolorize(block: LineBlock) -> None:
    """Take colours and other control sequences of terminals out of the lines."""
    coloured = contains(block.line, b"\x1b") | contains(block.line, "\u009b".encode())
    if not coloured.any():
        return
    plain = from_arrow(pc.replace_substring_regex(present(block.line).to_arrow(), _COLOURS, ""))
    block.line = plain
