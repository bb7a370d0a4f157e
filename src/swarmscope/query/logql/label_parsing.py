"""The parsers of a pipeline: what they take out of lines becomes labels, and what they cannot read an error.

A field whose name a stream label or structured metadata of the line has already becomes `name_extracted`; a field that
an earlier parser has made is replaced. Names and texts of errors are Loki's.
Manual: https://grafana.com/docs/loki/latest/query/log_queries/#parser-expression
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from swarmscope.lang.logql.json_paths import parse_json_path
from swarmscope.lang.logql.nodes import (
    Extraction,
    JsonParser,
    LogfmtParser,
    PatternParser,
    RegexpParser,
    UnpackParser,
)
from swarmscope.lang.logql.patterns import parse_pattern
from swarmscope.model.labels import Utf8Column
from swarmscope.query.logql.blocks import ERROR, ERROR_DETAILS, LineBlock, coalesced, constant_column, without
from swarmscope.query.logql.demand import Demand
from swarmscope.query.logql.extraction import Extracted, field_name
from swarmscope.query.logql.json_parser import parse_json
from swarmscope.query.logql.json_paths import parse_json_paths
from swarmscope.query.logql.logfmt_errors import logfmt_error
from swarmscope.query.logql.logfmt_parser import parse_logfmt
from swarmscope.query.logql.pattern_matching import LinePattern, capture_pattern
from swarmscope.query.logql.regex_captures import CaptureRegex, capture_regex

Parser = JsonParser | LogfmtParser | PatternParser | RegexpParser | UnpackParser
PARSERS = (JsonParser, LogfmtParser, PatternParser, RegexpParser, UnpackParser)
JSON_ERROR, LOGFMT_ERROR = "JSONParserErr", "LogfmtParserErr"
_JSON_DETAILS = "Value looks like object, but can't find closing '}' symbol"
_LOGFMT_DETAILS = "logfmt syntax error"
_UNPACK_DETAILS = "expecting json object(6), but it is not"
_SUFFIX = "_extracted"
_PACKED_LINE = "_entry"

Step = Callable[[LineBlock], None]


def parser_step(stage: Parser, after: Demand) -> Step:
    """The parser as a change of blocks; it takes out what `after` wants.

    Extractions are made all: whether a line is malformed may show at any of them.
    """
    wanted = wanted_fields(after)
    match stage:
        case JsonParser(extractions=()):
            return lambda block: _apply(block, parse_json(block.line, wanted), JSON_ERROR, _JSON_DETAILS)
        case JsonParser(extractions=extractions):
            paths = [(each.label, parse_json_path(each.expression)) for each in extractions]
            return lambda block: _apply(block, parse_json_paths(block.line, paths), JSON_ERROR, _JSON_DETAILS)
        case LogfmtParser(extractions=()):
            return _logfmt_step(stage, wanted)
        case LogfmtParser(extractions=extractions):
            return _logfmt_extraction_step(stage, extractions, in_detail=wanted is None)
        case PatternParser(pattern=pattern):
            line_pattern = LinePattern.from_parts(parse_pattern(pattern))
            return lambda block: _apply(block, capture_pattern(block.line, line_pattern))
        case RegexpParser(regex=regex):
            captures = CaptureRegex.from_text(regex)
            return lambda block: _apply(block, capture_regex(block.line, captures))
        case UnpackParser():
            return lambda block: _unpack(block, wanted)


def wanted_fields(after: Demand) -> tuple[str, ...] | None:
    """The names that a parser must look for, None for all."""
    if after.labels is None:
        return None
    plain = {name.removesuffix(_SUFFIX) for name in after.labels if name.endswith(_SUFFIX)}
    return tuple(sorted((after.labels | plain) - {ERROR, ERROR_DETAILS, ""}))


def _apply(block: LineBlock, extracted: Extracted, error: str = "", details: str = "") -> None:
    for name, column in extracted.columns.items():
        set_field(block, name, column)
    if error and extracted.failed.any():
        block.note_error(extracted.failed, error, details)


def set_field(block: LineBlock, name: str, column: Utf8Column) -> None:
    """A parser's field [n] as a label, under another name where a stream or metadata has this one."""
    if not (column.length >= 0).any():
        return
    taken = _taken(block, name)
    if taken is None or not taken.any():
        block.set_label(name, column)
        return
    block.set_label(name, without(column, taken))
    block.set_label(name + _SUFFIX, without(column, ~taken))


def _taken(block: LineBlock, name: str) -> NDArray[np.bool_] | None:
    taken: NDArray[np.bool_] | None = None
    for base in (block.stream_label(name), block.metadata_label(name)):
        if base is not None:
            present = base.length >= 0
            taken = present if taken is None else taken | present
    return taken


def _logfmt_step(stage: LogfmtParser, wanted: tuple[str, ...] | None) -> Step:
    def step(block: LineBlock) -> None:
        extracted = parse_logfmt(block.line, wanted, strict=stage.strict, keep_empty=stage.keep_empty)
        _apply(block, extracted)
        _note_logfmt_errors(block, extracted.failed, in_detail=wanted is None)

    return step


def _logfmt_extraction_step(stage: LogfmtParser, extractions: tuple[Extraction, ...], *, in_detail: bool) -> Step:
    # Keys are compared by the label names that they make.
    key_of = {each.label: field_name(each.expression) for each in extractions}
    keys = tuple(dict.fromkeys(key_of.values()))

    def step(block: LineBlock) -> None:
        extracted = parse_logfmt(block.line, keys, strict=stage.strict, keep_empty=True)
        nothing = constant_column("", np.ones(len(block), np.bool_))
        columns = {label: coalesced(extracted.columns[key], nothing) for label, key in key_of.items()}
        _apply(block, Extracted(columns, np.zeros(len(block), np.bool_)))
        _note_logfmt_errors(block, extracted.failed, in_detail=in_detail)

    return step


def _note_logfmt_errors(block: LineBlock, failed: NDArray[np.bool_], *, in_detail: bool) -> None:
    if not failed.any():
        return
    if not in_detail:
        block.note_error(failed, LOGFMT_ERROR, _LOGFMT_DETAILS)
        return
    starts, lengths, buffer = block.line.start, block.line.length, block.line.buffer
    details = [""] * len(block)
    for row in np.flatnonzero(failed).tolist():
        details[row] = logfmt_error(buffer[starts[row] : starts[row] + lengths[row]].tobytes()) or _LOGFMT_DETAILS
    block.note_error(failed, LOGFMT_ERROR, Utf8Column.from_strings(details))


def _unpack(block: LineBlock, wanted: tuple[str, ...] | None) -> None:
    """Labels of lines that a `pack` stage wrote, whose own line is the field `_entry`; other objects are left alone."""
    names = None if wanted is None else (*wanted, _PACKED_LINE)
    extracted = parse_json(block.line, names, flat_strings=True)
    columns = dict(extracted.columns)
    entry = columns.pop(_PACKED_LINE, None)
    failed = extracted.failed & (block.line.length > 0)
    if entry is not None:
        plain = (entry.length < 0) | failed
        for name, column in columns.items():
            set_field(block, name, without(column, plain))
        block.line = coalesced(without(entry, failed), block.line)
    if failed.any():
        block.note_error(failed, JSON_ERROR, _UNPACK_DETAILS)
