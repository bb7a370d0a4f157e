"""Shapes: which attributes a span has, of which kinds, in which slots. Spans of one program share a few."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from swarmscope.model.attributes import AttributeSets
from swarmscope.model.labels import Utf8Column
from swarmscope.model.spans import AttributeScope
from swarmscope.store.embedded.spans.shape_kernel import (
    KEY_SHIFT,
    NO_SHAPE,
    Keys,
    Pairs,
    Shapes,
    find_keys,
    find_shapes,
    hash_row,
    hashed_slots,
)

Item = TypeVar("Item", bound=np.generic)
# Names of attributes, and attributes in all shapes together: some hundred thousand shapes. A sender that invents names
# for every span is refused beyond.
MAX_NAME_BYTES = 64 << 20
MAX_SHAPE_KEYS = 8 << 20
_SCOPES = tuple(AttributeScope)


class Place(NamedTuple):
    """Where an attribute stands in a shape."""

    shape: int
    slot: int
    kind: int


@dataclass(slots=True)
class _Known:
    """What queries ask of shapes, kept up to shape `end`."""

    end: int = 0
    places: dict[tuple[int, str], list[Place]] = field(default_factory=dict)  # by owner and name
    of_owner: dict[int, list[int]] = field(default_factory=dict)


class AttributeShapes:
    """All shapes, of spans and of what else has attributes, by tenant. Thread-safe; numbers begin at 0."""

    def __init__(self, max_name_bytes: int = MAX_NAME_BYTES, max_keys: int = MAX_SHAPE_KEYS) -> None:
        self._lock = threading.Lock()
        self._seed = np.uint64(secrets.randbits(64))
        self._max_name_bytes, self._max_keys = max_name_bytes, max_keys
        numbers, hashes = np.zeros(16, np.int64), np.zeros(8, np.uint64)
        self._keys = Keys(
            numbers, hashes, np.zeros(8, np.uint8), np.zeros(9, np.int64), np.zeros(64, np.uint8), np.zeros(1, np.int64)
        )
        self._shapes = Shapes(
            numbers.copy(), hashes.copy(), np.zeros(8, np.int64), np.zeros(9, np.int64), np.zeros(16, np.int64),
            np.zeros(16, np.int64), np.zeros(1, np.int64),
        )  # fmt: skip
        self._tenants: dict[str, int] = {}
        self._tenant_names: list[str] = []
        self._known = _Known()
        self._persisted = 0

    @property
    def next_shape(self) -> int:
        """One above the highest number given out."""
        return int(self._shapes.used[0])

    @property
    def memory_bytes(self) -> int:
        """Bytes that the tables take."""
        return sum(column.nbytes for table in (self._keys, self._shapes) for column in table)

    def intern(
        self, tenant: str, scope: AttributeScope, attributes: AttributeSets
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The shape [n] of each set, and the entries [n_pairs]: set i's value of slot s is its pair
        `entries[offsets[i] + s]`, counted from its first.

        NO_SHAPE where there is no more room for names or shapes.
        """
        pairs = _pairs(attributes)
        keys, shapes = np.empty(len(pairs.start), np.int64), np.full(len(attributes), NO_SHAPE, np.int64)
        entries = np.zeros(len(keys), np.int64)
        with self._lock:
            owner = self._owner(tenant, scope)
            self._find_keys(pairs, keys)
            row = 0
            while True:
                row = find_shapes(
                    pairs.offsets, keys, (owner, self._max_keys), self._shapes, self._seed, (row, shapes, entries)
                )
                if row >= len(shapes):
                    return shapes, entries
                self._reserve_shape(int(pairs.offsets[row + 1] - pairs.offsets[row]))

    def _find_keys(self, pairs: Pairs, keys: NDArray[np.int64]) -> None:
        pair = 0
        while True:
            pair = find_keys(pairs, pair, self._keys, self._seed, self._max_name_bytes, keys)
            if pair >= len(keys):
                return
            self._reserve_key(int(pairs.length[pair]))

    def _owner(self, tenant: str, scope: AttributeScope) -> int:
        number = self._tenants.setdefault(tenant, len(self._tenants))
        if number == len(self._tenant_names):
            self._tenant_names.append(tenant)
        return number * len(_SCOPES) + _SCOPES.index(scope)

    def _reserve_key(self, length: int) -> None:
        keys = self._keys
        n = int(keys.used[0])
        room, pool = 2 * n + 8, 2 * (int(keys.begin[n]) + length)
        self._keys = Keys(
            hashed_slots(keys.hashes, n, 1 << (2 * room).bit_length()), _grown(keys.hashes, room),
            _grown(keys.kind, room), _grown(keys.begin, room + 1), _grown(keys.pool, pool), keys.used,
        )  # fmt: skip

    def _reserve_shape(self, length: int) -> None:
        shapes = self._shapes
        n = int(shapes.used[0])
        room, pool = 2 * n + 8, 2 * (int(shapes.begin[n]) + length)
        self._shapes = Shapes(
            hashed_slots(shapes.hashes, n, 1 << (2 * room).bit_length()), _grown(shapes.hashes, room),
            _grown(shapes.owner, room), _grown(shapes.begin, room + 1), _grown(shapes.sorted_keys, pool),
            _grown(shapes.slot_of, pool), shapes.used,
        )  # fmt: skip

    def attributes(self, shape: int) -> tuple[list[str], NDArray[np.uint8]]:
        """Names and kinds of a shape's slots; raises IndexError for a number that was never given out."""
        shapes, keys = self._shapes, self._keys
        if not 0 <= shape < int(shapes.used[0]):
            raise IndexError(f"no shape has the number {shape}")
        mine = slice(int(shapes.begin[shape]), int(shapes.begin[shape + 1]))
        in_slots = np.empty(mine.stop - mine.start, np.int64)
        in_slots[shapes.slot_of[mine]] = shapes.sorted_keys[mine]
        bounds = zip(keys.begin[in_slots].tolist(), keys.begin[in_slots + 1].tolist(), strict=True)
        return [keys.pool[a:b].tobytes().decode(errors="replace") for a, b in bounds], keys.kind[in_slots]

    def slot_counts(self, shapes: NDArray[np.int64]) -> NDArray[np.int64]:
        """How many attributes each of `shapes` [n] has."""
        begin = self._shapes.begin
        return begin[shapes + 1] - begin[shapes]

    def places(self, tenant: str, name: str) -> list[Place]:
        """Where a span attribute stands, in every shape of the tenant's spans that has it."""
        with self._lock:
            known = self._up_to_date()
            return list(known.places.get((self._owner(tenant, AttributeScope.SPAN), name), ()))

    def of_tenant(self, tenant: str, scope: AttributeScope = AttributeScope.SPAN) -> NDArray[np.int64]:
        """The shapes that a tenant's spans (events, links) have, ascending."""
        with self._lock:
            return np.array(self._up_to_date().of_owner.get(self._owner(tenant, scope), ()), np.int64)

    def span_shapes(self) -> int:
        """How many shapes spans of all tenants have."""
        with self._lock:
            known = self._up_to_date()
            of_spans = _SCOPES.index(AttributeScope.SPAN)
            return sum(len(shapes) for owner, shapes in known.of_owner.items() if owner % len(_SCOPES) == of_spans)

    def names(self, tenant: str, scope: AttributeScope, shapes: set[int] | None = None) -> list[str]:
        """Sorted names of one scope's attributes, of `shapes` alone where they are given."""
        with self._lock:
            known = self._up_to_date()
            mine = self._owner(tenant, scope)
            return sorted(
                name
                for (owner, name), places in known.places.items()
                if owner == mine and (shapes is None or any(place.shape in shapes for place in places))
            )

    def _up_to_date(self) -> _Known:
        known = self._known
        for shape in range(known.end, self.next_shape):
            owner = int(self._shapes.owner[shape])
            names, kinds = self.attributes(shape)
            for slot, (name, kind) in enumerate(zip(names, kinds.tolist(), strict=True)):
                known.places.setdefault((owner, name), []).append(Place(shape, slot, kind))
            known.of_owner.setdefault(owner, []).append(shape)
        known.end = self.next_shape
        return known

    def tenant_count(self) -> int:
        """How many tenants have shapes."""
        return len(self._tenant_names)

    def tenant_of(self, shapes: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[str]]:
        """For each of `shapes` [n] the position of its tenant in the list."""
        return self._shapes.owner[shapes] // len(_SCOPES), list(self._tenant_names)

    def pending(self) -> tuple[pa.RecordBatch | None, int]:
        """Shapes that `mark_persisted` has not covered, as rows of table `span_shapes`, and what to pass to it."""
        with self._lock:
            end = self.next_shape
            new = range(self._persisted, end)
            if not new:
                return None, end
            attributes = [self.attributes(shape) for shape in new]
            owners = [divmod(int(self._shapes.owner[shape]), len(_SCOPES)) for shape in new]
            columns = {
                "shape": pa.array(new, pa.uint32()),
                "tenant": pa.array([self._tenant_names[tenant] for tenant, _ in owners], pa.string()),
                "scope": pa.array([_SCOPES[scope].value for _, scope in owners], pa.string()),
                "names": pa.array([names for names, _ in attributes], pa.list_(pa.string())),
                "kinds": pa.array([kinds.tolist() for _, kinds in attributes], pa.list_(pa.uint8())),
            }
            return pa.record_batch(columns), end

    def mark_persisted(self, end: int) -> None:
        """Every shape below `end` is durable."""
        self._persisted = max(self._persisted, end)

    def load(self, rows: pa.Table) -> None:
        """Add shapes from table `span_shapes` [n] under their own numbers; before anything is interned.

        Numbers that are missing become shapes that no span has.
        """
        stored = {row["shape"]: row for row in rows.to_pylist()}
        lost = {"tenant": "", "scope": AttributeScope.SPAN.value, "names": [], "kinds": []}
        with self._lock:
            bound, self._max_name_bytes = self._max_name_bytes, 1 << 62
            for shape in range(self.next_shape, max(stored, default=-1) + 1):
                row = stored.get(shape, lost)
                owner = self._owner(_text(row["tenant"]), AttributeScope(_text(row["scope"])))
                self._load_one(owner, [_text(name) for name in row["names"]], row["kinds"])
            self._max_name_bytes = bound
            self._reserve_shape(0)
            self._persisted = self.next_shape

    def _load_one(self, owner: int, names: list[str], kinds: list[int]) -> None:
        texts = Utf8Column.from_strings(names)
        offsets = np.array([0, len(names)], np.int64)
        keys = np.empty(len(names), np.int64)
        self._find_keys(Pairs(offsets, texts.buffer, texts.start, texts.length, np.array(kinds, np.uint8)), keys)
        n, at = self.next_shape, int(self._shapes.begin[self.next_shape])
        if n >= len(self._shapes.hashes) or at + len(keys) > len(self._shapes.sorted_keys):
            self._reserve_shape(len(keys))
        shapes, order = self._shapes, np.argsort(keys, kind="stable")
        shapes.sorted_keys[at : at + len(keys)] = keys[order]
        shapes.slot_of[at : at + len(keys)] = order
        shapes.begin[n + 1], shapes.owner[n] = at + len(keys), owner
        shapes.hashes[n] = hash_row(owner, keys[order] << KEY_SHIFT, len(keys), self._seed)
        shapes.used[0] = n + 1


def _pairs(attributes: AttributeSets) -> Pairs:
    names = attributes.names
    contiguous: Callable[[NDArray[Item]], NDArray[Item]] = np.ascontiguousarray
    return Pairs(
        contiguous(attributes.offsets), names.buffer, contiguous(names.start), contiguous(names.length),
        contiguous(attributes.values.kind),
    )  # fmt: skip


def _text(name: str | bytes) -> str:
    return name.decode(errors="replace") if isinstance(name, bytes) else name


def _grown(array: NDArray[Item], size: int) -> NDArray[Item]:
    if size <= len(array):
        return array
    grown = np.zeros(size, array.dtype)
    grown[: len(array)] = array
    return grown
