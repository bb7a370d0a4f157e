"""From a request's hints to what of the store can fulfil them: which shapes, which resources, which values in slots."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from swarmscope.model.attributes import NUMBER_BYTES, ValueKind, spell_scalar
from swarmscope.model.spans import AttributeKey, AttributeScope, Comparison, Condition, SpanRequest
from swarmscope.store.embedded.spans.commit import SpanNames
from swarmscope.store.embedded.spans.records import Records

# From here on several integers are the same double, so that its spelling as an integer is not one.
_MAX_EXACT = 1 << 53
_MIN_INT, _MAX_INT = -(1 << 63), (1 << 63) - 1
NO_SLOT = -1


@dataclass(frozen=True, slots=True)
class Attribute:
    """Where one attribute stands: slot (NO_SLOT for none) and kind of its value, by shape."""

    slot: NDArray[np.int64]  # [n_shapes] by shape
    kind: NDArray[np.uint8]  # [n_shapes] by shape


@dataclass(frozen=True, slots=True)
class ValueTest:
    """A span passes where the value has one of the spellings for its kind; kinds without any entry pass."""

    attribute: Attribute
    spellings: Mapping[int, tuple[bytes, ...]]  # by kind


@dataclass(frozen=True, slots=True)
class SpanPlan:
    """What spans of a tenant can fulfil a request."""

    request: SpanRequest
    shapes: NDArray[np.int64]  # ascending
    every_shape: bool  # all spans below `next_shape` have one of them
    next_shape: int
    resources: NDArray[np.int64] | None  # ascending; None: any
    tests: tuple[ValueTest, ...]
    wanted: tuple[Attribute, ...]  # as `SpanRequest.attributes`
    columns: tuple[Condition, ...]  # those on names, kinds, statuses and durations
    slot_counts: NDArray[np.int64]  # [n] of `shapes`: how many attributes each has

    @property
    def is_empty(self) -> bool:
        """Whether no span can fulfil it."""
        no_resource = self.resources is not None and len(self.resources) == 0
        return len(self.shapes) == 0 or no_resource or self.request.start_ns >= self.request.end_ns


def plan_spans(names: SpanNames, tenant: str, request: SpanRequest) -> SpanPlan:
    """The plan of a request."""
    next_shape = names.shapes.next_shape
    mine = names.shapes.of_tenant(tenant)
    mine = mine[mine < next_shape]
    n_all = names.shapes.span_shapes()
    is_candidate = np.zeros(next_shape, np.bool_)
    is_candidate[mine] = True
    resources: NDArray[np.int64] | None = None
    tests: list[ValueTest] = []
    columns: list[Condition] = []
    for condition in request.conditions:
        key = condition.key
        if not isinstance(key, AttributeKey):
            if condition.comparison is Comparison.EQUAL:
                columns.append(condition)
        elif key.scope is AttributeScope.SPAN:
            attribute = locate(names, tenant, key.name, next_shape)
            test = None if condition.comparison is Comparison.PRESENT else value_test(attribute, condition.values)
            is_candidate &= _passing(attribute, test)
            if test is not None:
                tests.append(test)
        elif key.scope is AttributeScope.RESOURCE:
            found = _resources_with(names.resources, key.name, condition)
            resources = found if resources is None else np.intersect1d(resources, found)
    shapes = np.flatnonzero(is_candidate)
    return SpanPlan(
        request,
        shapes,
        len(shapes) == n_all,
        next_shape,
        resources,
        tuple(tests),
        tuple(locate(names, tenant, name, next_shape) for name in request.attributes),
        tuple(columns),
        names.shapes.slot_counts(shapes),
    )


def locate(names: SpanNames, tenant: str, name: str, next_shape: int) -> Attribute:
    """Where a span attribute of the tenant stands."""
    attribute = Attribute(np.full(next_shape, NO_SLOT, np.int64), np.zeros(next_shape, np.uint8))
    places = [place for place in names.shapes.places(tenant, name) if place.shape < next_shape]
    if places:
        found = np.array(places, np.int64)
        attribute.slot[found[:, 0]] = found[:, 1]
        attribute.kind[found[:, 0]] = found[:, 2].astype(np.uint8)
    return attribute


def _passing(attribute: Attribute, test: ValueTest | None) -> NDArray[np.bool_]:
    """Which shapes [n_shapes] can pass."""
    passing: NDArray[np.bool_] = attribute.slot != NO_SLOT
    if test is not None:
        hopeless = [kind for kind, texts in test.spellings.items() if not texts]
        passing &= ~np.isin(attribute.kind, hopeless)
    return passing


def value_test(attribute: Attribute, values: tuple[str | int | float | bool, ...]) -> ValueTest:
    """The test whether a value is one of `values`."""
    spellings: dict[int, tuple[bytes, ...]] = {}
    for kind in ValueKind:
        texts = [spell_as(kind, value) for value in values]
        if all(each is not None for each in texts):
            spellings[int(kind)] = tuple(text for each in texts if each is not None for text in each)
    return ValueTest(attribute, spellings)


def spell_as(kind: ValueKind, value: str | int | float | bool) -> tuple[bytes, ...] | None:
    """How a value that equals `value` is spelled where its kind is `kind`; None where that cannot be listed."""
    if kind is ValueKind.ARRAY:  # one of its elements may be equal
        return None
    if isinstance(value, bool):
        return (spell_scalar(value)[1],) if kind is ValueKind.BOOL else ()
    if isinstance(value, str):
        return (value.encode("utf-8", "surrogatepass"),) if kind is ValueKind.STRING else ()
    if math.isnan(value):
        return ()
    if kind is ValueKind.INT:
        if isinstance(value, float):
            if abs(value) >= _MAX_EXACT and not math.isinf(value):
                return None
            if not value.is_integer():
                return ()
        return (int(value).to_bytes(NUMBER_BYTES, "little", signed=True),) if _MIN_INT <= value <= _MAX_INT else ()
    if kind is ValueKind.DOUBLE:
        if abs(value) >= _MAX_EXACT and isinstance(value, int):
            return None
        return (struct.pack("<d", 0.0), struct.pack("<d", -0.0)) if value == 0 else (struct.pack("<d", value),)
    return ()


def _resources_with(resources: Records, name: str, condition: Condition) -> NDArray[np.int64]:
    """Resources that fulfil a condition."""
    _, _, attributes = resources.columns()
    encoded = name.encode("utf-8", "surrogatepass")
    accepted = {
        int(kind): None if any(each is None for each in texts) else {text for each in texts if each for text in each}
        for kind in ValueKind
        for texts in ([spell_as(kind, value) for value in condition.values],)
    }
    found = []
    names, values = attributes.names, attributes.values
    named = np.flatnonzero(names.length == len(encoded))
    owner = np.searchsorted(attributes.offsets, named, side="right") - 1
    for pair, resource in zip(named.tolist(), owner.tolist(), strict=True):
        begin = int(names.start[pair])
        if names.buffer[begin : begin + len(encoded)].tobytes() != encoded:
            continue
        if condition.comparison is Comparison.EQUAL:
            texts = accepted[int(values.kind[pair])]
            begin, length = int(values.text.start[pair]), int(values.text.length[pair])
            if texts is not None and values.text.buffer[begin : begin + length].tobytes() not in texts:
                continue
        found.append(resource)
    return np.unique(np.array(found, np.int64))
