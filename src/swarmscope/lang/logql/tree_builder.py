"""From lark's tree to ours: one method a grammar rule, for pipelines."""
# ruff: noqa: D102  # A method bears its grammar rule's name, and makes what the rule stands for.

from __future__ import annotations

import math
from typing import Any, NamedTuple

from lark import Token, Transformer_NonRecursive, v_args
from lark.tree import Meta

from swarmscope.lang.logql import checks
from swarmscope.lang.logql.label_filters import (
    BothFilters,
    BytesFilter,
    Comparison,
    DurationFilter,
    EitherFilter,
    IpFilter,
    LabelFilter,
    NumberFilter,
    StringFilter,
)
from swarmscope.lang.logql.nodes import LogPipeline, Unwrap
from swarmscope.lang.logql.quoting import read_bytes, read_duration_ns
from swarmscope.lang.logql.stages import (
    Decolorize,
    DropLabels,
    Extraction,
    FormatLabel,
    IpPattern,
    JsonParser,
    KeepLabels,
    LabelFormat,
    LineFilter,
    LineFilterOperator,
    LineFormat,
    LogfmtParser,
    PatternParser,
    RegexpParser,
    RenameLabel,
    Stage,
    UnpackParser,
)
from swarmscope.lang.promql.nodes import Span
from swarmscope.lang.templates.go_strings import unquote
from swarmscope.model.errors import QuerySyntaxError
from swarmscope.model.matchers import Matcher, MatchOperator


class Selected(NamedTuple):
    """A selector and the stages behind it, in which an unwrap may stand."""

    matchers: tuple[Matcher, ...]
    stages: tuple[Stage | Unwrap, ...]
    span: Span


def span_of(meta: Meta) -> Span | None:
    """Where a rule's text stands; None for a rule without text."""
    return None if meta.empty else Span(meta.start_pos, meta.end_pos)


def string_at(token: Token) -> str:
    """A string token's text."""
    try:
        return unquote(token)
    except ValueError as error:
        raise checks.error_at(str(error), token) from None


def duration_at(token: Token) -> int:
    """A duration token in nanoseconds."""
    try:
        return read_duration_ns(token)
    except ValueError as error:
        raise checks.error_at(str(error), token) from None


def number_at(token: Token) -> float:
    """A number token; hexadecimal too."""
    value = float(int(token, 16)) if token[:2].lower() == "0x" else float(token)
    if math.isinf(value):
        raise checks.error_at(f"number out of range: {token}", token)
    return value


@v_args(meta=True)
class PipelineBuilder(Transformer_NonRecursive[Token, Any]):
    """Selectors, stages and conditions on labels. Raises QuerySyntaxError where Loki refuses what the grammar takes."""

    def matcher(self, meta: Meta, parts: list[Any]) -> Matcher:
        name, operator, value = parts
        matcher = Matcher(str(name), operator, string_at(value))
        if operator in (MatchOperator.REGEX, MatchOperator.NOT_REGEX):
            checks.check_regex(matcher.value, value)
        return matcher

    def match_operator(self, meta: Meta, parts: list[Any]) -> MatchOperator:
        return MatchOperator(str(parts[0]))

    def selector(self, meta: Meta, parts: list[Any]) -> tuple[Matcher, ...]:
        return tuple(part for part in parts if part is not None)

    def pipeline(self, meta: Meta, parts: list[Any]) -> Selected:
        return Selected(parts[0], tuple(parts[1:]), Span(meta.start_pos, meta.end_pos))

    def packed(self, meta: Meta, parts: list[Any]) -> Selected:
        return Selected(parts[0].matchers, parts[0].stages, Span(meta.start_pos, meta.end_pos))

    # Lines

    def line_operator(self, meta: Meta, parts: list[Any]) -> LineFilterOperator:
        return LineFilterOperator(str(parts[0]))

    def line_value(self, meta: Meta, parts: list[Any]) -> tuple[str | IpPattern, Span | None]:
        value = parts[0] if isinstance(parts[0], IpPattern) else string_at(parts[0])
        return value, span_of(meta)

    def ip(self, meta: Meta, parts: list[Any]) -> IpPattern:
        pattern = string_at(parts[1])
        checks.check_ip(pattern, parts[1])
        return IpPattern(pattern)

    def line_filter(self, meta: Meta, parts: list[Any]) -> LineFilter:
        operator: LineFilterOperator = parts[0]
        values = [part for part in parts[1:] if isinstance(part, tuple)]
        for value, _ in values:
            checks.check_line_value(operator, value, meta)
        return LineFilter(operator, tuple(value for value, _ in values), span_of(meta))

    # Parsers

    def extraction(self, meta: Meta, parts: list[Any]) -> Extraction:
        label, expression = parts
        return Extraction(str(label), str(label) if expression is None else string_at(expression))

    def extractions(self, meta: Meta, parts: list[Any]) -> tuple[Extraction, ...]:
        return tuple(parts)

    def json(self, meta: Meta, parts: list[Any]) -> JsonParser:
        extractions = parts[1] or ()
        for each in extractions:
            checks.check_json_path(each.expression, meta)
        return JsonParser(extractions, span_of(meta))

    def logfmt(self, meta: Meta, parts: list[Any]) -> LogfmtParser:
        flags = {str(part) for part in parts[1:-1]}
        checks.check_logfmt_flags(parts[1:-1])
        extractions = parts[-1] or ()
        return LogfmtParser(extractions, "--strict" in flags, "--keep-empty" in flags, span_of(meta))

    def regexp(self, meta: Meta, parts: list[Any]) -> RegexpParser:
        regex = string_at(parts[1])
        checks.check_named_groups(regex, parts[1])
        return RegexpParser(regex, span_of(meta))

    def pattern(self, meta: Meta, parts: list[Any]) -> PatternParser:
        pattern = string_at(parts[1])
        checks.check_parser_pattern(pattern, parts[1])
        return PatternParser(pattern, span_of(meta))

    def unpack(self, meta: Meta, parts: list[Any]) -> UnpackParser:
        return UnpackParser(span_of(meta))

    # Formats

    def line_format(self, meta: Meta, parts: list[Any]) -> LineFormat:
        template = string_at(parts[1])
        checks.check_template(template, parts[1])
        return LineFormat(template, span_of(meta))

    def rename(self, meta: Meta, parts: list[Any]) -> RenameLabel:
        return RenameLabel(str(parts[0]), str(parts[1]))

    def format_template(self, meta: Meta, parts: list[Any]) -> FormatLabel:
        template = string_at(parts[1])
        checks.check_template(template, parts[1])
        return FormatLabel(str(parts[0]), template)

    def label_format(self, meta: Meta, parts: list[Any]) -> LabelFormat:
        stage = LabelFormat(tuple(parts[1:]), span_of(meta))
        checks.check_label_format(stage)
        return stage

    def decolorize(self, meta: Meta, parts: list[Any]) -> Decolorize:
        return Decolorize(span_of(meta))

    def choice(self, meta: Meta, parts: list[Any]) -> str | Matcher:
        return parts[0] if isinstance(parts[0], Matcher) else str(parts[0])

    def drop(self, meta: Meta, parts: list[Any]) -> DropLabels:
        return DropLabels(tuple(parts[1:]), span_of(meta))

    def keep(self, meta: Meta, parts: list[Any]) -> KeepLabels:
        return KeepLabels(tuple(parts[1:]), span_of(meta))

    def unwrap(self, meta: Meta, parts: list[Any]) -> Unwrap:
        return Unwrap(str(parts[1]), span=span_of(meta))

    def unwrap_converted(self, meta: Meta, parts: list[Any]) -> Unwrap:
        conversion = str(parts[1]).lower()
        checks.check_conversion(conversion, parts[1])
        return Unwrap(str(parts[2]), conversion, span=span_of(meta))

    # Conditions on labels

    def label_filter(self, meta: Meta, parts: list[Any]) -> LabelFilter:
        found: LabelFilter = parts[0]
        return found

    def either(self, meta: Meta, parts: list[Any]) -> EitherFilter:
        return EitherFilter(parts[0], parts[-1], span_of(meta))

    def both(self, meta: Meta, parts: list[Any]) -> BothFilters:
        return BothFilters(parts[0], parts[-1], span_of(meta))

    def filter_operator(self, meta: Meta, parts: list[Any]) -> Comparison:
        return Comparison.EQUAL if parts[0] == "=" else Comparison(str(parts[0]))

    def string_filter(self, meta: Meta, parts: list[Any]) -> StringFilter:
        return StringFilter(parts[0], span_of(meta))

    def number_filter(self, meta: Meta, parts: list[Any]) -> NumberFilter:
        return NumberFilter(str(parts[0]), parts[1], parts[2], span_of(meta))

    def duration_filter(self, meta: Meta, parts: list[Any]) -> DurationFilter:
        return DurationFilter(str(parts[0]), parts[1], parts[2], span_of(meta))

    def bytes_filter(self, meta: Meta, parts: list[Any]) -> BytesFilter:
        try:
            size = read_bytes(parts[2])
        except ValueError as error:
            raise checks.error_at(str(error), parts[2]) from None
        return BytesFilter(str(parts[0]), parts[1], size, span_of(meta))

    def ip_filter(self, meta: Meta, parts: list[Any]) -> IpFilter:
        if parts[1] not in (MatchOperator.EQUAL, MatchOperator.NOT_EQUAL):
            raise checks.error_at(f"syntax error: unexpected ip, {parts[1]} takes a string", meta)
        return IpFilter(str(parts[0]), parts[1], parts[2].pattern, span_of(meta))

    def signed_number(self, meta: Meta, parts: list[Any]) -> float:
        value = number_at(parts[-1])
        return -value if parts[0] == "-" else value

    def signed_duration(self, meta: Meta, parts: list[Any]) -> int:
        value = duration_at(parts[-1])
        return -value if parts[0] == "-" else value


def to_pipeline(selected: Selected) -> LogPipeline:
    """The pipeline of a log query. Raises QuerySyntaxError where it unwraps."""
    checks.check_matchers(selected.matchers)
    stages = []
    for stage in selected.stages:
        if isinstance(stage, Unwrap):
            raise QuerySyntaxError(
                "parse error : unwrap is for range aggregations alone", stage.span and stage.span.start
            )
        stages.append(stage)
    return LogPipeline(selected.matchers, tuple(stages), selected.span)
