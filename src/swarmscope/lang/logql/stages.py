"""What a pipeline does to a line, one type a stage. https://grafana.com/docs/loki/latest/query/log_queries/#log-pipeline"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from swarmscope.lang.logql.label_filters import LABEL_FILTERS, LabelFilter
from swarmscope.lang.logql.quoting import quote
from swarmscope.lang.promql.nodes import Span
from swarmscope.model.matchers import Matcher


class LineFilterOperator(StrEnum):
    """What a line must be."""

    CONTAINS = "|="
    NOT_CONTAINS = "!="
    MATCHES = "|~"
    NOT_MATCHES = "!~"
    PATTERN = "|>"
    NOT_PATTERN = "!>"

    @property
    def negative(self) -> bool:
        """Whether it refuses the lines that it finds."""
        return self.value.startswith("!")


@dataclass(frozen=True, slots=True)
class IpPattern:
    """`ip("10.0.0.0/8")`: one address, a network or a range `a-b`."""

    pattern: str

    def __str__(self) -> str:
        return f"ip({quote(self.pattern)})"


@dataclass(frozen=True, slots=True)
class LineFilter:
    """`|= "a" or "b"`. A negative operator wants lines that none of the alternatives is found in."""

    operator: LineFilterOperator
    alternatives: tuple[str | IpPattern, ...]  # IpPattern with CONTAINS and NOT_CONTAINS alone
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        texts = (quote(each) if isinstance(each, str) else str(each) for each in self.alternatives)
        return f"{self.operator} {' or '.join(texts)}"


@dataclass(frozen=True, slots=True)
class Extraction:
    """`label="expression"`: the label that a parser makes, and where it finds the value (a JSON path, a logfmt key)."""

    label: str
    expression: str

    def __str__(self) -> str:
        return f"{self.label}={quote(self.expression)}"


@dataclass(frozen=True, slots=True)
class JsonParser:
    """`| json`: all fields, or the extractions alone."""

    extractions: tuple[Extraction, ...] = ()
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return "| json" + _list_text(self.extractions)


@dataclass(frozen=True, slots=True)
class LogfmtParser:
    """`| logfmt`: all keys, or the extractions alone."""

    extractions: tuple[Extraction, ...] = ()
    strict: bool = False  # a malformed pair ends the parsing with an error instead of being skipped
    keep_empty: bool = False  # keys without a value become labels with the value ""
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        flags = (" --strict" if self.strict else "") + (" --keep-empty" if self.keep_empty else "")
        return "| logfmt" + flags + _list_text(self.extractions)


@dataclass(frozen=True, slots=True)
class RegexpParser:
    """`| regexp "(?P<name>…)"`: an RE2 regex with a named group at the least."""

    regex: str
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"| regexp {quote(self.regex)}"


@dataclass(frozen=True, slots=True)
class PatternParser:
    """`| pattern "<ip> - <_>"`; `patterns.parse_pattern` reads it."""

    pattern: str
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"| pattern {quote(self.pattern)}"


@dataclass(frozen=True, slots=True)
class UnpackParser:
    """`| unpack`: labels and line (`_entry`) of a line that the pack stage of an agent wrote."""

    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return "| unpack"


@dataclass(frozen=True, slots=True)
class LineFormat:
    """`| line_format "{{.a}}"`: a template (lang.templates) that makes the new line."""

    template: str
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return f"| line_format {quote(self.template)}"


@dataclass(frozen=True, slots=True)
class RenameLabel:
    """`target=source`."""

    target: str
    source: str

    def __str__(self) -> str:
        return f"{self.target}={self.source}"


@dataclass(frozen=True, slots=True)
class FormatLabel:
    """`target="{{…}}"`."""

    target: str
    template: str

    def __str__(self) -> str:
        return f"{self.target}={quote(self.template)}"


@dataclass(frozen=True, slots=True)
class LabelFormat:
    """`| label_format a=b, c="{{.d}}"`; a target stands once."""

    formats: tuple[RenameLabel | FormatLabel, ...]
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return "| label_format" + _list_text(self.formats)


@dataclass(frozen=True, slots=True)
class Decolorize:
    """`| decolorize`: takes ANSI escape sequences out of the line."""

    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return "| decolorize"


@dataclass(frozen=True, slots=True)
class DropLabels:
    """`| drop a, b="x"`: a label goes, or goes where its value matches."""

    labels: tuple[str | Matcher, ...]
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return "| drop" + _list_text(self.labels)


@dataclass(frozen=True, slots=True)
class KeepLabels:
    """`| keep a, b="x"`: other labels go, and those whose value does not match."""

    labels: tuple[str | Matcher, ...]
    span: Span | None = field(default=None, compare=False)

    def __str__(self) -> str:
        return "| keep" + _list_text(self.labels)


# A condition on labels stands in a pipeline as it is: no node around it.
Stage: TypeAlias = (
    LineFilter
    | JsonParser
    | LogfmtParser
    | RegexpParser
    | PatternParser
    | UnpackParser
    | LineFormat
    | LabelFormat
    | Decolorize
    | DropLabels
    | KeepLabels
    | LabelFilter
)


def stage_text(stage: Stage) -> str:
    """A stage with its pipe or operator in front."""
    return f"| {stage}" if isinstance(stage, LABEL_FILTERS) else str(stage)


def stages_text(stages: tuple[Stage, ...]) -> str:
    """The stages on one line, each behind a space."""
    return "".join(" " + stage_text(stage) for stage in stages)


def _list_text(items: tuple[Extraction | RenameLabel | FormatLabel | str | Matcher, ...]) -> str:
    texts = (
        f"{each.name}{each.operator}{quote(each.value)}" if isinstance(each, Matcher) else str(each) for each in items
    )
    return (" " + ", ".join(texts)) if items else ""
