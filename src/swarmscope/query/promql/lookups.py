"""The places in a query that look at selectors: which function, at which times, how far back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from swarmscope.lang.promql.nodes import (
    Anchor,
    Call,
    MatrixSelector,
    Node,
    Subquery,
    VectorSelector,
    children,
    without_parens,
)
from swarmscope.model.matchers import Matcher
from swarmscope.query.promql.frames import Steps
from swarmscope.query.promql.step_invariance import steps_of
from swarmscope.query.promql.subqueries import subquery_steps

if TYPE_CHECKING:
    from swarmscope.query.promql.context import Evaluation

Matchers = tuple[Matcher, ...]

INSTANT = "newest sample"
SAMPLES = "samples"  # whatever needs each sample: a range vector that is the answer, `timestamp`


@dataclass(frozen=True, slots=True)
class Lookup:
    """Windows (t - window, t] at t = first end, first end + step, … last end over one selector. Equal ones are one."""

    matchers: Matchers
    function: str  # the range function, INSTANT or SAMPLES
    window_ms: int
    first_end_ms: int
    last_end_ms: int
    step_ms: int

    @property
    def range_ms(self) -> tuple[int, int]:
        """All that is looked at: (start, end], in ms."""
        return self.first_end_ms - self.window_ms, self.last_end_ms


def resolve_at(at: int | Anchor | None, bounds: tuple[int, int]) -> int | None:
    """The fixed evaluation time of an `@` modifier in ms, None where there is none."""
    if at is Anchor.START:
        return bounds[0]
    if at is Anchor.END:
        return bounds[1]
    return at


def lookup_of(selector: VectorSelector | MatrixSelector, function: str, steps: Steps, evaluation: Evaluation) -> Lookup:
    """What `function` looks at when it reads a selector at `steps`."""
    vector = selector.vector if isinstance(selector, MatrixSelector) else selector
    window_ms = selector.range_ms if isinstance(selector, MatrixSelector) else evaluation.lookback_ms
    at = resolve_at(vector.at, evaluation.bounds)
    first, last = (steps.start_ms, steps.end_ms) if at is None else (at, at)
    step_ms = steps.step_ms if last > first else 0
    return Lookup(vector.matchers, function, window_ms, first - vector.offset_ms, last - vector.offset_ms, step_ms)


def lookups_of(node: Node, steps: Steps, evaluation: Evaluation) -> Iterator[Lookup]:
    """Every look at a selector that evaluating `node` at `steps` takes, in the order of the text."""
    steps = steps_of(node, steps)
    match node:
        case VectorSelector():
            yield lookup_of(node, INSTANT, steps, evaluation)
        case MatrixSelector():
            yield lookup_of(node, SAMPLES, steps, evaluation)
        case Subquery():
            at = resolve_at(node.at, evaluation.bounds)
            inner = subquery_steps(node, steps, at, evaluation.default_step_ms)
            evaluation.check_steps(inner)
            yield from lookups_of(node.expr, inner, evaluation)
        case Call(function="info", args=args):
            yield from lookups_of(args[0], steps, evaluation)
        case Call(function=name, args=args):
            for arg in args:
                direct = without_parens(arg)
                if isinstance(direct, MatrixSelector):
                    yield lookup_of(direct, name, steps, evaluation)
                elif isinstance(direct, VectorSelector) and name == "timestamp":
                    yield lookup_of(direct, SAMPLES, steps, evaluation)
                else:
                    yield from lookups_of(arg, steps, evaluation)
        case _:
            for child in children(node):
                yield from lookups_of(child, steps, evaluation)
