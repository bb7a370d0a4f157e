"""Which labels a query needs at each place of its pipeline, so that parsers take out no others.

Worked out from the end: what the answer needs, and before each stage what that stage reads besides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from swarmscope.lang.logql.line_templates import LINE, logql_parts, parse_logql_template
from swarmscope.lang.logql.nodes import (
    BothFilters,
    Decolorize,
    DropLabels,
    EitherFilter,
    FormatLabel,
    KeepLabels,
    LabelFilter,
    LabelFormat,
    LineFilter,
    LineFormat,
    RenameLabel,
    Stage,
    StringFilter,
)
from swarmscope.lang.templates.nodes import (
    Action,
    Chain,
    Dot,
    Field,
    Function,
    If,
    Invocation,
    Node,
    Operand,
    Pipeline,
    Range,
    Template,
    Variable,
    With,
)
from swarmscope.model.matchers import Matcher


@dataclass(frozen=True, slots=True)
class Demand:
    """What is wanted of lines behind a place in the pipeline: `labels` (None: all that there are) and their text."""

    labels: frozenset[str] | None = None
    line: bool = True

    def with_labels(self, names: Iterable[str] | None) -> Demand:
        """This and more labels; None asks for all."""
        if names is None or self.labels is None:
            return replace(self, labels=None)
        return replace(self, labels=self.labels.union(names))

    def with_line(self) -> Demand:
        """This and the line's text."""
        return replace(self, line=True)

    @property
    def nothing(self) -> bool:
        """Whether no label at all is wanted; parsers need not run then."""
        return self.labels is not None and not self.labels


def demand_before(stage: Stage, after: Demand) -> Demand:
    """What must be there before a stage, so that behind it there is what `after` wants."""
    match stage:
        case LineFilter():
            return after.with_line()
        case LineFormat(template=template):
            labels, line = template_demand(template)
            # Where a template fails the line stays what it was.
            can_fail = logql_parts(parse_logql_template(template)) is None
            return replace(after, line=line or can_fail).with_labels(labels)
        case LabelFormat(formats=formats):
            return _before_label_format(formats, after)
        case DropLabels(labels=labels) | KeepLabels(labels=labels):
            return after.with_labels(each.name for each in labels if isinstance(each, Matcher))
        case Decolorize():
            return after
        case StringFilter() | BothFilters() | EitherFilter():
            return after.with_labels(filter_labels(stage))
        case _ if hasattr(stage, "label"):
            return after.with_labels((stage.label,))
    return after if after.nothing else after.with_line()  # a parser


def _before_label_format(formats: tuple[RenameLabel | FormatLabel, ...], after: Demand) -> Demand:
    before = after
    for each in formats:
        if isinstance(each, RenameLabel):
            before = before.with_labels((each.source,))
        else:
            labels, line = template_demand(each.template)
            before = before.with_labels(labels)
            before = before.with_line() if line else before
    return before


def filter_labels(condition: LabelFilter) -> Iterator[str]:
    """The labels that a condition looks at."""
    match condition:
        case BothFilters(left=left, right=right) | EitherFilter(left=left, right=right):
            yield from filter_labels(left)
            yield from filter_labels(right)
        case StringFilter(matcher=matcher):
            yield matcher.name
        case _:
            yield condition.label


def template_demand(text: str) -> tuple[frozenset[str] | None, bool]:
    """The labels that a template reads (None: any), and whether it reads the line."""
    template = parse_logql_template(text)
    operands = list(_operands(template))
    line = any(isinstance(each, Function) and each.name == LINE for each in operands)
    names: set[str] = set()
    for each in operands:
        match each:
            case Dot() | Variable(name="$", names=()):
                return None, line
            case Field(names=(name, *_)) | Variable(name="$", names=(name, *_)):
                names.add(name)
    return frozenset(names), line


def _operands(template: Template) -> Iterator[Operand]:
    for node in (*template.nodes, *(node for _, nodes in template.definitions for node in nodes)):
        yield from _operands_of_node(node)


def _operands_of_node(node: Node) -> Iterator[Operand]:
    match node:
        case Action(pipeline=pipeline):
            yield from _operands_of_pipeline(pipeline)
        case If() | With() | Range():
            yield from _operands_of_pipeline(node.pipeline)
            for inner in (*node.body, *node.otherwise):
                yield from _operands_of_node(inner)
        case Invocation(pipeline=Pipeline() as pipeline):
            yield from _operands_of_pipeline(pipeline)


def _operands_of_pipeline(pipeline: Pipeline) -> Iterator[Operand]:
    for command in pipeline.commands:
        for operand in command.operands:
            yield operand
            if isinstance(operand, Pipeline):
                yield from _operands_of_pipeline(operand)
            elif isinstance(operand, Chain):
                yield from _operands_of_pipeline(operand.pipeline)
