"""The compiled walk over a version 2 request: its symbol table first, then its series, whose labels refer to it.

A series' key is made of the hashes of its strings, not of their numbers, which mean something in one request only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.model.raw_memory import Int, address_of, get_cell, load_u64, put_cell
from swarmscope.receivers.remote_write.series_kernel import (
    IN_METADATA,
    IN_REQUEST,
    IN_SERIES,
    N_EXEMPLARS,
    N_HISTOGRAMS,
    Notes,
    SampleArrays,
    SeriesArrays,
    Walk,
    count_one,
    note_fault,
    store_sample,
    to_walk,
)
from swarmscope.receivers.wire.field_walk import skip_value, take_length, varint_fault
from swarmscope.receivers.wire.key_hash import HashSecrets, combine_hashes, hash_span, to_tuple
from swarmscope.receivers.wire.scan_kernel import BAD_TAG, WRONG_WIRE_TYPE
from swarmscope.receivers.wire.varint import read_varint

_NAME_BYTES = int.from_bytes(b"__name__", "little")

# Why the labels of a series cannot be read, in the order of `label_check.REASONS`.
GOOD_REFS, REF_OUT_OF_RANGE, ODD_REFS = 0, 1, 2


class SymbolArrays(NamedTuple):
    """The symbol table [room for n]: where the strings stand in the body, and their hashes."""

    start: NDArray[np.int64]
    length: NDArray[np.int64]
    hash: NDArray[np.uint64]


class SeriesDetails(NamedTuple):
    """What version 2 says of a series besides [n_series]."""

    verdict: NDArray[np.int64]  # GOOD_REFS …
    name: NDArray[np.int64]  # symbol of the metric name, -1 where there is none
    created_ms: NDArray[np.int64]  # the series' created timestamp of earlier drafts, 0 where there is none
    kind: NDArray[np.int64]
    help: NDArray[np.int64]  # symbol
    unit: NDArray[np.int64]  # symbol


@njit(nogil=True, cache=True)
def walk_request(
    buffer: NDArray[np.uint8], words: NDArray[np.uint64], symbols: SymbolArrays, series: SeriesArrays, notes: Notes
) -> Int:
    """The outer level of `io.prometheus.write.v2.Request`: how many symbols; -1 where it is malformed."""
    base = address_of(buffer)
    secrets = to_tuple(words)
    position = 0
    end = len(buffer)
    n_symbols = 0
    while position < end:
        at = position
        tag, position = read_varint(base, position, end)
        if position < 0:
            return note_fault(address_of(notes.fault), varint_fault(position), IN_REQUEST, 0, at)
        field = np.int64(tag >> uint64(3))
        if field != 4 and field != 5:
            position, fault = skip_value(base, np.int64(tag), position, end)
            if fault != 0:
                return note_fault(address_of(notes.fault), fault, IN_REQUEST, field, at)
            continue
        start, after, fault = take_length(base, position, end)
        if tag & uint64(7) != uint64(2):
            fault = WRONG_WIRE_TYPE
        if fault != 0:
            return note_fault(address_of(notes.fault), fault, IN_REQUEST, field, at)
        position = after
        if field == 4:
            if n_symbols < len(symbols.start):
                symbols.start[n_symbols] = start
                symbols.length[n_symbols] = after - start
                symbols.hash[n_symbols] = hash_span(base, start, after - start, secrets)
            n_symbols += 1
        else:
            row = notes.counts[0]
            if row < len(series.start):
                series.start[row] = start
                series.end[row] = after
            notes.counts[0] = row + 1
    return n_symbols


class SymbolRequest(NamedTuple):
    """Everything that the walk over version 2's series reads and fills."""

    symbols: SymbolArrays
    series: SeriesArrays
    details: SeriesDetails
    samples: SampleArrays
    notes: Notes


class _SymbolWalk(NamedTuple):
    """Addresses besides those of `Walk`."""

    symbol_start: Int
    symbol_length: Int
    symbol_hash: Int
    n_symbols: Int
    verdict: Int
    name: Int
    created_ms: Int
    kind: Int
    help: Int
    unit: Int


class _Labels(NamedTuple):
    """How far a series' label references have been read."""

    key: Int
    n_refs: Int
    last: Int  # the reference before, -1 at the start


@njit(nogil=True, cache=True, forceinline=True)
def _take_ref(walk: Walk, more: _SymbolWalk, number: Int, row: Int, labels: _Labels, secrets: HashSecrets) -> _Labels:
    """One more label reference, a name or a value."""
    ref = np.int64(number & uint64(0xFFFFFFFF))
    if ref >= more.n_symbols:
        put_cell(more.verdict, row, REF_OUT_OF_RANGE)
        return _Labels(labels.key, labels.n_refs + 1, labels.last)
    last = labels.last
    if (
        labels.n_refs & 1 == 1
        and last >= 0
        and get_cell(more.symbol_length, last) == 8
        and load_u64(walk.base, get_cell(more.symbol_start, last)) == uint64(_NAME_BYTES)
    ):
        put_cell(more.name, row, ref)
    word = uint64(get_cell(more.symbol_hash, ref))
    return _Labels(combine_hashes(labels.key, word, secrets), labels.n_refs + 1, ref)


@njit(nogil=True, cache=True, forceinline=True)
def _walk_metadata(walk: Walk, more: _SymbolWalk, span: tuple[Int, Int], row: Int) -> bool:
    """A series' Metadata message; false where it is malformed."""
    position, end = span
    while position < end:
        at = position
        tag, position = read_varint(walk.base, position, end)
        fault = varint_fault(position) if position < 0 else 0
        if fault == 0 and (tag == uint64(0x08) or tag == uint64(0x18) or tag == uint64(0x20)):
            number, position = read_varint(walk.base, position, end)
            fault = varint_fault(position) if position < 0 else 0
            cut = np.int64(number & uint64(0xFFFFFFFF))
            if tag == uint64(0x08):
                put_cell(more.kind, row, cut)
            elif tag == uint64(0x18):
                put_cell(more.help, row, cut)
            else:
                put_cell(more.unit, row, cut)
        elif fault == 0:
            position, fault = skip_value(walk.base, np.int64(tag), position, end)
        if fault != 0:
            note_fault(walk.fault, fault, IN_METADATA, 0, at)
            return False
    return True


@njit(nogil=True, cache=True, forceinline=True)
def _take_number(walk: Walk, more: _SymbolWalk, tag: Int, span: tuple[Int, Int], row: Int) -> tuple[Int, Int, Int]:
    """A field of a series that is not length-delimited: position behind it, its value, fault."""
    field = tag >> 3
    if tag & 7 == 0 and (field == 1 or field == 6):
        number, after = read_varint(walk.base, span[0], span[1])
        if after < 0:
            return np.int64(0), np.int64(0), varint_fault(after)
        if field == 6:
            put_cell(more.created_ms, row, np.int64(number))
        return after, np.int64(number), 0
    if field >= 1 and field <= 6:
        return np.int64(0), np.int64(0), WRONG_WIRE_TYPE
    after, fault = skip_value(walk.base, tag, span[0], span[1])
    return after, np.int64(0), fault


@njit(nogil=True, cache=True, forceinline=True)
def _take_message(walk: Walk, more: _SymbolWalk, field: Int, span: tuple[Int, Int], row: Int) -> bool:
    """A message inside a series; false where it is malformed."""
    if field == 2:
        return bool(store_sample(walk, span, row))
    if field == 5:
        return bool(_walk_metadata(walk, more, span, row))
    if field == 3:
        count_one(walk, N_HISTOGRAMS)
    elif field == 4:
        count_one(walk, N_EXEMPLARS)
    return True


@njit(nogil=True, cache=True, forceinline=True)
def _walk_series(
    walk: Walk, more: _SymbolWalk, span: tuple[Int, Int], row: Int, secrets: HashSecrets
) -> tuple[Int, bool]:
    """One TimeSeries of version 2: its key, and whether it is well-formed."""
    position, end = span
    labels = _Labels(secrets[0], 0, -1)
    while position < end:
        at = position
        tag, position = read_varint(walk.base, position, end)
        fault = varint_fault(position) if position < 0 else 0
        field = np.int64(tag >> uint64(3))
        if fault == 0 and tag & uint64(7) != uint64(2):
            position, number, fault = _take_number(walk, more, np.int64(tag), (position, end), row)
            if fault == 0 and field == 1:
                labels = _take_ref(walk, more, uint64(number), row, labels, secrets)
        elif fault == 0:
            start, position, fault = take_length(walk.base, position, end)
            if fault == 0 and (field == 6 or field == 0):
                fault = WRONG_WIRE_TYPE if field == 6 else BAD_TAG
            if fault == 0 and field == 1:
                while start < position and fault == 0:
                    ref, start = read_varint(walk.base, start, position)
                    fault = varint_fault(start) if start < 0 else 0
                    labels = _take_ref(walk, more, ref, row, labels, secrets)
            elif fault == 0 and not _take_message(walk, more, field, (start, position), row):
                return labels.key, False
        if fault != 0:
            note_fault(walk.fault, fault, IN_SERIES, field, at)
            return labels.key, False
    if labels.n_refs & 1 == 1:
        put_cell(more.verdict, row, ODD_REFS)
    return combine_hashes(labels.key, uint64(labels.n_refs), secrets), True


@njit(nogil=True, cache=True)
def walk_symbol_series(buffer: NDArray[np.uint8], words: NDArray[np.uint64], request: SymbolRequest) -> bool:
    """All series that `walk_request` found: keys, samples, details; false (and a fault) where one is malformed."""
    secrets = to_tuple(words)
    walk = to_walk(buffer, request.samples, request.notes)
    symbols = request.symbols
    details = request.details
    more = _SymbolWalk(
        address_of(symbols.start),
        address_of(symbols.length),
        address_of(symbols.hash),
        len(symbols.hash),
        address_of(details.verdict),
        address_of(details.name),
        address_of(details.created_ms),
        address_of(details.kind),
        address_of(details.help),
        address_of(details.unit),
    )
    starts = request.series.start
    ends = request.series.end
    keys = request.series.key
    for row in range(len(starts)):
        key, good = _walk_series(walk, more, (starts[row], ends[row]), row, secrets)
        if not good:
            return False
        keys[row] = key
    return True
