"""Rules that say which traces are kept whole, whatever the share of ordinary ones is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from swarmscope.model.attributes import NUMBER_BYTES, Scalar, ValueColumn, ValueKind
from swarmscope.model.errors import SwarmscopeError
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import SpanBatch, SpanStatus

SERVICE_NAME = "service.name"
# Where instrumentations write what a call has cost, in US dollars.
COST_ATTRIBUTES = ("gen_ai.usage.cost", "gen_ai.cost", "llm.cost.total", "cost.total", "cost")


class BadPolicyError(SwarmscopeError):
    """A policy that cannot be followed; the message names it."""


@dataclass(frozen=True, slots=True)
class AttributeTest:
    """A test of one attribute of a span or, where it has none of the name, of its resource.

    All that is given must hold; nothing given: the attribute is there. `pattern` (RE2) matches the whole text.
    """

    name: str
    equals: Scalar = None
    pattern: str | None = None
    least: float | None = None
    most: float | None = None


@dataclass(frozen=True, slots=True)
class Policy:
    """All that is given must hold for one and the same span."""

    name: str
    services: tuple[str, ...] = ()
    operation: str | None = None  # RE2, the whole name
    min_duration_ns: int | None = None
    min_cost: float | None = None  # of one span, in the unit that its sender uses
    only_errors: bool = False
    attributes: tuple[AttributeTest, ...] = ()

    def check(self) -> None:
        """Raise BadPolicyError where a pattern is not one, or the policy asks for nothing."""
        if self == Policy(self.name):
            raise BadPolicyError(f"sampling policy {self.name!r} names no condition")
        for pattern in (self.operation, *(test.pattern for test in self.attributes)):
            if pattern is not None:
                _check_pattern(self.name, pattern)

    def matches(self, batch: SpanBatch) -> NDArray[np.bool_]:
        """Which spans [n] of the batch it fits."""
        fits = np.ones(len(batch), np.bool_)
        if self.services:
            service = batch.resources.attributes.column(SERVICE_NAME)
            known = [service.scalar(row) in self.services for row in range(len(service))]
            fits &= np.array(known, np.bool_)[batch.resource]
        if self.min_duration_ns is not None:
            fits &= batch.end_ns - batch.start_ns >= self.min_duration_ns
        if self.only_errors:
            fits &= batch.status == SpanStatus.ERROR
        if self.operation is not None and fits.any():
            fits &= _match(batch.name, self.operation)
        if self.min_cost is not None and fits.any():
            tests = [AttributeTest(name, least=self.min_cost) for name in COST_ATTRIBUTES]
            fits &= np.logical_or.reduce([_passes(batch, test) for test in tests])
        for test in self.attributes:
            if fits.any():
                fits &= _passes(batch, test)
        return fits


def _check_pattern(name: str, pattern: str) -> None:
    try:
        pc.match_substring_regex(pa.array([""]), _whole(pattern))
    except pa.ArrowInvalid as error:
        raise BadPolicyError(f"sampling policy {name!r}: {pattern!r} is no regular expression: {error}") from error


def _whole(pattern: str) -> str:
    return f"^(?:{pattern})$"


def _match(texts: Utf8Column, pattern: str) -> NDArray[np.bool_]:
    """Which texts [n] the pattern matches whole; bytes that are not UTF-8 are compared as they are."""
    binary = texts.to_arrow().cast(pa.binary())
    matched: NDArray[np.bool_] = np.asarray(pc.match_substring_regex(binary, _whole(pattern)))
    return matched


def _passes(batch: SpanBatch, test: AttributeTest) -> NDArray[np.bool_]:
    own = batch.attributes.column(test.name)
    passes = _holds(own, test)
    absent = np.flatnonzero(own.kind == ValueKind.ABSENT)
    passes[absent] = _holds(batch.resources.attributes.column(test.name), test)[batch.resource[absent]]
    return passes


def _holds(values: ValueColumn, test: AttributeTest) -> NDArray[np.bool_]:
    holds: NDArray[np.bool_] = values.kind != ValueKind.ABSENT
    if test.equals is not None:
        holds &= _equals(values, test.equals)
    if test.pattern is not None:
        holds &= values.kind == ValueKind.STRING
        if holds.any():
            holds &= _match(values.text, test.pattern)
    if test.least is not None or test.most is not None:
        numbers = _numbers(values)
        # Comparisons with NaN, which stands for what is no number, are false.
        holds &= numbers >= (-np.inf if test.least is None else test.least)
        holds &= numbers <= (np.inf if test.most is None else test.most)
    return holds


def _equals(values: ValueColumn, wanted: Scalar) -> NDArray[np.bool_]:
    same = np.zeros(len(values), np.bool_)
    if isinstance(wanted, str):
        text = values.text.to_arrow().cast(pa.binary())
        same |= np.asarray(pc.equal(text, pa.scalar(wanted.encode(), pa.binary())))
        same &= values.kind == ValueKind.STRING
    elif isinstance(wanted, bool):
        rows = np.flatnonzero(values.kind == ValueKind.BOOL)
        same[rows] = (values.text.buffer[values.text.start[rows]] != 0) == wanted
    elif isinstance(wanted, int | float):
        same |= _numbers(values) == float(wanted)
    return same


def _numbers(values: ValueColumn) -> NDArray[np.float64]:
    """Numbers [n] as floats, NaN where a value is none."""
    numbers = np.full(len(values), np.nan)
    for kind, dtype in ((ValueKind.INT, "<i8"), (ValueKind.DOUBLE, "<f8")):
        rows = np.flatnonzero(values.kind == kind)
        if len(rows):
            places = values.text.start[rows][:, None] + np.arange(NUMBER_BYTES)
            numbers[rows] = values.text.buffer[places].copy().view(dtype)[:, 0]
    return numbers
