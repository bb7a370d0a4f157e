"""The conventions' tables as arrays: from a name's hash to what the attribute fills and says."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from swarmscope.ingest.genai.attribute import Convention, Meaning
from swarmscope.model.byte_hash import hash_bytes, mix
from swarmscope.model.raw_memory import Int, address_of

NO_RULE = -1


class Rules(NamedTuple):
    """Attributes [n_rules] by number; names and values are found by their hash. A free place has the key 0."""

    seed: np.uint64
    name_key: NDArray[np.uint64]  # [power of two]
    name_rule: NDArray[np.int64]
    value_key: NDArray[np.uint64]  # [power of two] of rule and value
    value_meaning: NDArray[np.uint8]  # [power of two, 2] AgentOperation, InteractionType
    field: NDArray[np.uint8]  # [n_rules] Field
    rank: NDArray[np.uint8]  # [n_rules]
    meaning: NDArray[np.uint8]  # [n_rules, 2]
    says_rank: NDArray[np.uint8]  # [n_rules]
    has_values: NDArray[np.bool_]  # [n_rules]
    dialect: NDArray[np.uint8]  # [n_rules] Dialect, NONE where the name does not vote


def to_rules(conventions: Iterable[Convention], seed: int) -> Rules:
    """Raises ValueError where a name stands in two tables."""
    told = [(attribute, convention.dialect) for convention in conventions for attribute in convention.attributes]
    attributes = [attribute for attribute, _ in told]
    names = [attribute.name for attribute in attributes]
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ValueError(f"attributes that stand in two tables: {', '.join(repeated)}")
    name_hashes = [_hash(name, seed) for name in names]
    name_key, name_rule = _table(name_hashes, np.arange(len(names)))
    values = [(rule, text, meaning) for rule, attribute in enumerate(attributes)
              for text, meaning in attribute.values.items()]  # fmt: skip
    value_hashes = [_value_hash(rule, text, seed) for rule, text, _ in values]
    value_key, place = _table(value_hashes, np.arange(len(values)))
    spelled = np.array([_spelled(meaning) for _, _, meaning in values], np.uint8).reshape(len(values), 2)
    return Rules(
        np.uint64(seed),
        name_key,
        name_rule,
        value_key,
        spelled[np.maximum(place, 0)],
        np.array([attribute.field for attribute in attributes], np.uint8),
        np.array([attribute.rank for attribute in attributes], np.uint8),
        np.array([_spelled(attribute.meaning) for attribute in attributes], np.uint8),
        np.array([attribute.says_rank for attribute in attributes], np.uint8),
        np.array([bool(attribute.values) for attribute in attributes], np.bool_),
        np.array([dialect if attribute.votes else 0 for attribute, dialect in told], np.uint8),
    )


def _spelled(meaning: Meaning) -> tuple[int, int]:
    return int(meaning.operation), int(meaning.channel)


def _hash(text: str, seed: int) -> int:
    return int(_text_key(np.frombuffer(text.encode(), np.uint8), np.uint64(seed)))


def _value_hash(rule: int, text: str, seed: int) -> int:
    return int(_value_key(np.frombuffer(text.encode(), np.uint8), rule, np.uint64(seed)))


def _table(hashes: list[int], numbers: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Open addressing, at most a quarter full: most names are in no table, and end at the first free place."""
    size = 1 << max(4, (4 * len(hashes)).bit_length())
    key, number = np.zeros(size, np.uint64), np.full(size, NO_RULE, np.int64)
    for hashed, own in zip(hashes, numbers.tolist(), strict=True):
        at = hashed & (size - 1)
        while key[at] != 0:
            if key[at] == hashed:
                raise ValueError("two names have the same hash")
            at = (at + 1) & (size - 1)
        key[at], number[at] = hashed, own
    return key, number


@njit(nogil=True, cache=True)
def _text_key(text: NDArray[np.uint8], seed: np.uint64) -> Int:
    return max(hash_bytes(address_of(text), len(text), seed), np.uint64(1))


@njit(nogil=True, cache=True)
def _value_key(text: NDArray[np.uint8], rule: int, seed: np.uint64) -> Int:
    return value_key_at(address_of(text), len(text), rule, seed)


@njit(nogil=True, cache=True)
def value_key_at(base: Int, length: Int, rule: Int, seed: Int) -> Int:
    """The key of a value of rule `rule`."""
    return max(mix(hash_bytes(base, length, seed), np.uint64(rule)), np.uint64(1))


@njit(nogil=True, cache=True)
def place_of(keys: NDArray[np.uint64], key: Int) -> Int:
    """Where `key` stands, -1 for nowhere."""
    mask = np.uint64(len(keys) - 1)
    at = key & mask
    while keys[at] != 0:
        if keys[at] == key:
            return np.int64(at)
        at = (at + np.uint64(1)) & mask
    return np.int64(-1)
