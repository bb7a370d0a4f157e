"""What a pipeline tells the reader, so that lines may stay in the store: texts that every line has which can pass.

The reader may leave lines out that break a hint, so a hint MUST hold for every line that the pipeline lets through.
Label filters behind parsers give none: the label may be structured metadata, and JSON can spell a text in many ways.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from swarmscope.lang.logql.nodes import (
    BothFilters,
    BytesFilter,
    Decolorize,
    DropLabels,
    DurationFilter,
    EitherFilter,
    IpFilter,
    KeepLabels,
    LabelFilter,
    LabelFormat,
    LineFilter,
    LineFilterOperator,
    LineFormat,
    NumberFilter,
    Stage,
    StringFilter,
    UnpackParser,
)
from swarmscope.lang.logql.patterns import Literal, parse_pattern
from swarmscope.lang.logql.regexes import compile_regex
from swarmscope.model.logs import Level
from swarmscope.model.matchers import Matcher, MatchOperator
from swarmscope.query.logql.blocks import DETECTED_LEVEL
from swarmscope.query.logql.line_filters import literal_alternatives

_ANYTHING = re.compile(r"\.[*+]")
_SPECIAL = re.compile(r"[.+*?()\[\]{}|^$\\]")
_ALL_LEVELS = frozenset(Level)


def needles_of(stages: Iterable[Stage]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Texts that every line has which passes, and texts that none has."""
    needles: list[str] = []
    absent: list[str] = []
    for stage in stages:
        if isinstance(stage, LineFormat | UnpackParser | Decolorize):
            break  # from here on the line is another one
        if isinstance(stage, LineFilter):
            texts = [text for text in _texts_of(stage) if text]
            (absent if stage.operator.negative else needles).extend(texts)
    return tuple(dict.fromkeys(needles)), tuple(dict.fromkeys(absent))


def _texts_of(stage: LineFilter) -> Iterable[str]:
    texts = [each for each in stage.alternatives if isinstance(each, str)]
    single = len(stage.alternatives) == 1
    match stage.operator:
        case LineFilterOperator.CONTAINS:
            return texts if single else ()
        case LineFilterOperator.NOT_CONTAINS:
            return texts
        case LineFilterOperator.MATCHES:
            return required_texts(texts[0]) if single else ()
        case LineFilterOperator.NOT_MATCHES:
            return [text for regex in texts for text in literal_alternatives(regex) or ()]
        case LineFilterOperator.PATTERN:
            return [part.text for part in parse_pattern(texts[0]) if isinstance(part, Literal)] if single else ()
        case _:
            return ()


def required_texts(regex: str) -> tuple[str, ...]:
    """Texts that stand in everything in which the regex is found: of a plain text with `.*` and `.+` in it, its parts.

    () where the regex has anything else in it.
    """
    parts = _ANYTHING.split(regex)
    if any(_SPECIAL.search(part) is not None or part.startswith("?") for part in parts):
        return ()
    return tuple(part for part in parts if part)


def levels_of(stages: Iterable[Stage]) -> frozenset[Level] | None:
    """The levels of lines that can pass the conditions on `detected_level`; None for all."""
    levels = _ALL_LEVELS
    for stage in stages:
        if isinstance(stage, LabelFormat | DropLabels | KeepLabels):
            break  # the label may be another from here on
        if isinstance(
            stage, StringFilter | BothFilters | EitherFilter | NumberFilter | DurationFilter | BytesFilter | IpFilter
        ):
            levels &= _passing_levels(stage)
    return None if levels == _ALL_LEVELS else levels


def _passing_levels(condition: LabelFilter) -> frozenset[Level]:
    match condition:
        case BothFilters(left=left, right=right):
            return _passing_levels(left) & _passing_levels(right)
        case EitherFilter(left=left, right=right):
            return _passing_levels(left) | _passing_levels(right)
        case StringFilter(matcher=matcher) if matcher.name == DETECTED_LEVEL:
            return frozenset(level for level in Level if _matches(matcher, level.name.lower()))
        case _:
            return _ALL_LEVELS


def _matches(matcher: Matcher, text: str) -> bool:
    match matcher.operator:
        case MatchOperator.EQUAL:
            return text == matcher.value
        case MatchOperator.NOT_EQUAL:
            return text != matcher.value
        case MatchOperator.REGEX:
            return compile_regex(matcher.value).fullmatch(text) is not None
        case MatchOperator.NOT_REGEX:
            return compile_regex(matcher.value).fullmatch(text) is None
