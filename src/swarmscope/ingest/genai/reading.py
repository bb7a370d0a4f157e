"""One walk over the attributes of all spans: which pair fills which field, and what each span is by its own words."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.genai.attribute import N_FIELDS, UNRANKED, Field
from swarmscope.ingest.genai.name_table import Rules, place_of, value_key_at
from swarmscope.ingest.genai.read_only import read_only
from swarmscope.model.agents import AgentOperation, Dialect, InteractionType
from swarmscope.model.attributes import AttributeSets, ValueKind
from swarmscope.model.byte_hash import hash_bytes
from swarmscope.model.raw_memory import Int, address_of

NO_PAIR = -1
_STRING, _ARRAY, _EMPTY = int(ValueKind.STRING), int(ValueKind.ARRAY), int(ValueKind.EMPTY)
_FIRST_NUMBER, _NOTHING = int(Field.INPUT_TOKENS), int(Field.NOTHING)
_UNRANKED = UNRANKED
_N_DIALECTS = len(Dialect)
_NONE, _OTEL, _LEGACY = int(Dialect.NONE), int(Dialect.OTEL), int(Dialect.OTEL_LEGACY)
# Names that one convention alone has count for more than those of OpenTelemetry, which all others write beside them.
_WEIGHTS = np.ones(_N_DIALECTS, np.int64)
_WEIGHTS[[Dialect.OPENINFERENCE, Dialect.OPENLLMETRY, Dialect.OPENLIT, Dialect.SWARMSCOPE]] = 4


class Pairs(NamedTuple):
    """Attribute sets for kernels."""

    offsets: NDArray[np.int64]  # [n_rows + 1]
    name_buffer: NDArray[np.uint8]
    name_start: NDArray[np.int64]  # [n_pairs]
    name_length: NDArray[np.int64]
    buffer: NDArray[np.uint8]  # of the values
    start: NDArray[np.int64]  # [n_pairs]
    length: NDArray[np.int64]
    kind: NDArray[np.uint8]  # [n_pairs] ValueKind

    @classmethod
    def of(cls, sets: AttributeSets) -> Pairs:
        """The same columns; no copy."""
        names, values = sets.names, sets.values.text
        columns: list[NDArray[Any]] = [
            sets.offsets, names.buffer, names.start, names.length, values.buffer, values.start, values.length,
            sets.values.kind,
        ]  # fmt: skip
        return cls(*map(read_only, columns))


class Told(NamedTuple):
    """The rows of a batch that have at least one attribute of a convention [n_told]."""

    row: NDArray[np.int64]  # [n_told] ascending
    pair: NDArray[np.int64]  # [N_FIELDS, n_told] the pair that fills a field, NO_PAIR
    operation: NDArray[np.uint8]  # [n_told] AgentOperation
    channel: NDArray[np.uint8]  # [n_told] InteractionType
    dialect: NDArray[np.uint8]  # [n_told] Dialect


def read_told(pairs: Pairs, rules: Rules) -> Told:
    """Look at every attribute once."""
    hit_pair, hit_rule, bounds, rows = _find(pairs, rules)
    return Told(rows, *_choose(pairs, rules, hit_pair, hit_rule, bounds))


@njit(nogil=True, cache=True)
def _find(
    pairs: Pairs, rules: Rules
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Pair and rule [n_hits] of attributes in a table; bounds [n_told + 1] of the hits of the rows [n_told]."""
    base, seed = address_of(pairs.name_buffer), rules.seed
    n_rows = len(pairs.offsets) - 1
    hit_pair, hit_rule = np.empty(len(pairs.start), np.int64), np.empty(len(pairs.start), np.int64)
    bounds, rows = np.zeros(n_rows + 1, np.int64), np.empty(n_rows, np.int64)
    n_hits = n_told = 0
    for row in range(n_rows):
        before = n_hits
        for pair in range(pairs.offsets[row], pairs.offsets[row + 1]):
            key = max(hash_bytes(base + pairs.name_start[pair], pairs.name_length[pair], seed), np.uint64(1))
            place = place_of(rules.name_key, key)
            if place >= 0 and pairs.kind[pair] != _EMPTY:
                hit_pair[n_hits], hit_rule[n_hits] = pair, rules.name_rule[place]
                n_hits += 1
        if n_hits > before:
            rows[n_told] = row
            n_told += 1
            bounds[n_told] = n_hits
    return hit_pair[:n_hits], hit_rule[:n_hits], bounds[: n_told + 1], rows[:n_told].copy()


@njit(nogil=True, cache=True)
def _choose(
    pairs: Pairs, rules: Rules, hit_pair: NDArray[np.int64], hit_rule: NDArray[np.int64], bounds: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]]:
    """Of all attributes of a row the best one for each field, and what it is by them: see `Told`."""
    n = len(bounds) - 1
    base = address_of(pairs.buffer)
    chosen = np.full((N_FIELDS, n), NO_PAIR, np.int64)
    operations, channels, dialects = np.zeros(n, np.uint8), np.zeros(n, np.uint8), np.zeros(n, np.uint8)
    ranks, votes = np.empty(N_FIELDS, np.int64), np.empty(_N_DIALECTS, np.int64)
    for at in range(n):
        ranks[:], votes[:] = _UNRANKED + 1, 0
        operation_rank = channel_rank = _UNRANKED
        for hit in range(bounds[at], bounds[at + 1]):
            pair, rule = hit_pair[hit], hit_rule[hit]
            dialect = rules.dialect[rule]
            votes[dialect] += _WEIGHTS[dialect]
            field, rank = rules.field[rule], rules.rank[rule]
            is_text = pairs.kind[pair] == _STRING or pairs.kind[pair] == _ARRAY
            fits = pairs.length[pair] > 0 and (is_text or field >= _FIRST_NUMBER)
            if field != _NOTHING and rank < ranks[field] and fits:
                ranks[field], chosen[field, at] = rank, pair
            says_rank = rules.says_rank[rule]
            if says_rank >= operation_rank and says_rank >= channel_rank:
                continue
            operation, channel = rules.meaning[rule, 0], rules.meaning[rule, 1]
            if rules.has_values[rule] and pairs.kind[pair] == _STRING:
                place = place_of(
                    rules.value_key, value_key_at(base + pairs.start[pair], pairs.length[pair], rule, rules.seed)
                )
                if place >= 0:
                    operation, channel = rules.value_meaning[place, 0], rules.value_meaning[place, 1]
            if operation != AgentOperation.NONE and says_rank < operation_rank:
                operation_rank, operations[at] = says_rank, operation
            if channel != InteractionType.NONE and says_rank < channel_rank:
                channel_rank, channels[at] = says_rank, channel
        dialects[at] = _winner(votes)
    return chosen, operations, channels, dialects


@njit(nogil=True, cache=True)
def _winner(votes: NDArray[np.int64]) -> Int:
    """The dialect with most votes; names that several share are OpenTelemetry's where nothing else is said."""
    best = _NONE
    for dialect in range(_N_DIALECTS):
        if dialect != _NONE and votes[dialect] > 0 and (best == _NONE or votes[dialect] > votes[best]):
            best = dialect
    # What was given up later stands beside the later name in spans that follow both.
    if best == _LEGACY and votes[_OTEL] > 0:
        return _OTEL
    return _OTEL if best == _NONE else best
