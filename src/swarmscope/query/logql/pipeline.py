"""A pipeline of stages made ready to run on blocks of lines."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from swarmscope.lang.logql.label_filters import LABEL_FILTERS
from swarmscope.lang.logql.nodes import (
    Decolorize,
    DropLabels,
    KeepLabels,
    LabelFilter,
    LabelFormat,
    LineFilter,
    LineFormat,
    LogPipeline,
    Stage,
    UnpackParser,
)
from swarmscope.model.logs import Level, LineColumns, LineRequest
from swarmscope.model.matchers import Matcher
from swarmscope.query.logql.blocks import DETECTED_LEVEL, ERROR, ERROR_DETAILS, LineBlock
from swarmscope.query.logql.demand import Demand, demand_before
from swarmscope.query.logql.formats import decolorize, format_labels, format_lines
from swarmscope.query.logql.label_choice import drop_labels, keep_labels
from swarmscope.query.logql.label_filters import passing
from swarmscope.query.logql.label_parsing import PARSERS, Step, parser_step
from swarmscope.query.logql.line_filters import line_test
from swarmscope.query.logql.line_hints import levels_of, needles_of
from swarmscope.query.logql.sure_misses import leave_out_misses, parsed_equalities, wanted_texts

_NOT_IN_METADATA = frozenset({DETECTED_LEVEL, ERROR, ERROR_DETAILS})


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Stages as changes of blocks. Any number of threads may run one pipeline, each on blocks of its own."""

    steps: tuple[Step, ...]
    demand: Demand  # of the lines as the reader gives them
    needles: tuple[str, ...]
    absent: tuple[str, ...]
    levels: frozenset[Level] | None
    equalities: tuple[Matcher, ...] = ()  # on what its first parser makes, for `with_values`

    @classmethod
    def compile(cls, pipeline: LogPipeline, demand: Demand | None = None, now_ns: int | None = None) -> Pipeline:
        """Make the stages ready; `demand` says what of the lines is wanted behind them, None for everything.

        `now_ns` is what templates take for now. Raises QueryFailedError for what RE2 or `ip` refuses.
        """
        now_ns = time.time_ns() if now_ns is None else now_ns
        stages = _with_line_filters_first(pipeline.stages)
        needles, absent = needles_of(stages)
        wanted = demand if demand is not None else Demand()
        steps: list[Step] = []
        for position in range(len(stages) - 1, -1, -1):
            stage = stages[position]
            steps.extend(reversed(_steps(stages, position, wanted, now_ns)))
            wanted = demand_before(stage, wanted)
        return cls(tuple(reversed(steps)), wanted, needles, absent, levels_of(stages), parsed_equalities(stages))

    def run(self, block: LineBlock) -> None:
        """Change the block in place: lines go, labels come, lines are written anew. Raises LimitExceededError."""
        for step in self.steps:
            if len(block) == 0:
                return
            step(block)

    def request(self, start_ns: int, end_ns: int) -> LineRequest:
        """What to ask a reader for: the columns that the pipeline reads, and hints which lines cannot pass."""
        labels = self.demand.labels
        columns = LineColumns(
            line=self.demand.line,
            metadata=labels is None or bool(labels - _NOT_IN_METADATA),
            level=labels is None or DETECTED_LEVEL in labels,
        )
        return LineRequest(start_ns, end_ns, columns, self.needles, self.absent, self.levels)


def _with_line_filters_first(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """Line filters in front of everything that leaves the line as it is: fewer lines are parsed."""
    ordered: list[Stage] = []
    begin = 0  # behind the last stage that made a new line, and the line filters that follow it
    for stage in stages:
        if isinstance(stage, LineFilter):
            ordered.insert(begin, stage)
            begin += 1
        else:
            ordered.append(stage)
            if isinstance(stage, LineFormat | UnpackParser | Decolorize):
                begin = len(ordered)
    return tuple(ordered)


def _steps(stages: Sequence[Stage], position: int, after: Demand, now_ns: int) -> list[Step]:
    """The steps of one stage, none where nobody wants what it makes."""
    stage = stages[position]
    match stage:
        case LineFilter():
            return [_line_step(stage)]
        case LineFormat(template=template):
            # Without a reader of the line the template is run for its errors alone; skipped as parsers are then.
            if after.nothing and not after.line:
                return []
            return [partial(format_lines, template=template, now_ns=now_ns)]
        case LabelFormat():
            return [] if after.nothing else [partial(format_labels, stage=stage, now_ns=now_ns)]
        case Decolorize():
            return [decolorize] if after.line else []
        case DropLabels(labels=labels):
            return [] if after.nothing else [partial(drop_labels, labels=labels)]
        case KeepLabels(labels=labels):
            return [] if after.nothing else [partial(keep_labels, labels=labels)]
        case _ if isinstance(stage, LABEL_FILTERS):
            return [_filter_step(stage)]
        case _ if isinstance(stage, PARSERS):
            if after.nothing and not (isinstance(stage, UnpackParser) and after.line):
                return []
            misses = wanted_texts(stages[position + 1 :])
            first: list[Step] = [partial(leave_out_misses, wanted=misses)] if misses else []
            return [*first, parser_step(stage, after)]
    raise TypeError(f"{type(stage).__name__} is no stage")


def _line_step(stage: LineFilter) -> Step:
    test = line_test(stage)

    def step(block: LineBlock) -> None:
        block.keep(test(block.line))

    return step


def _filter_step(condition: LabelFilter) -> Step:
    def step(block: LineBlock) -> None:
        block.keep(passing(condition, block))

    return step
