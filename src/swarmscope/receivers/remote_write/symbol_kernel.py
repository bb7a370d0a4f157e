"""The compiled walk over a version 2 request: its symbol table first, then its series, whose labels refer to it.

A series' key is made of the hashes of its strings, not of their numbers, which mean something in one request only.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit, uint64
from numpy.typing import NDArray

from swarmscope.receivers.remote_write.series_kernel import (
    IN_METADATA,
    IN_REQUEST,
    IN_SERIES,
    Notes,
    SampleArrays,
    SeriesArrays,
    note_fault,
    skip_value,
    store_sample,
    take_length,
    varint_fault,
)
from swarmscope.receivers.wire.key_hash import HashSecrets, combine_hashes, hash_span, to_tuple
from swarmscope.receivers.wire.memory import Int, address_of, load_u64
from swarmscope.receivers.wire.scan_kernel import WRONG_WIRE_TYPE
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
            return note_fault(notes, varint_fault(position), IN_REQUEST, 0, at)
        field = np.int64(tag >> uint64(3))
        if field != 4 and field != 5:
            position, fault = skip_value(base, np.int64(tag), position, end)
            if fault != 0:
                return note_fault(notes, fault, IN_REQUEST, field, at)
            continue
        start, after, fault = take_length(base, position, end)
        if tag & uint64(7) != uint64(2):
            fault = WRONG_WIRE_TYPE
        if fault != 0:
            return note_fault(notes, fault, IN_REQUEST, field, at)
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


class _Labels(NamedTuple):
    """How far a series' label references have been read."""

    key: Int
    n_refs: Int
    last: Int  # the reference before, -1 at the start


@njit(nogil=True, cache=True)
def _take_ref(
    base: Int, number: Int, row: Int, labels: _Labels, request: SymbolRequest, secrets: HashSecrets
) -> _Labels:
    """One more label reference, a name or a value."""
    symbols = request.symbols
    ref = np.int64(number & uint64(0xFFFFFFFF))
    if ref >= len(symbols.hash):
        request.details.verdict[row] = REF_OUT_OF_RANGE
        return _Labels(labels.key, labels.n_refs + 1, labels.last)
    last = labels.last
    if (
        labels.n_refs & 1 == 1
        and last >= 0
        and symbols.length[last] == 8
        and load_u64(base, symbols.start[last]) == uint64(_NAME_BYTES)
    ):
        request.details.name[row] = ref
    return _Labels(combine_hashes(labels.key, symbols.hash[ref], secrets), labels.n_refs + 1, ref)


@njit(nogil=True, cache=True)
def _walk_metadata(base: Int, span: tuple[Int, Int], row: Int, request: SymbolRequest) -> Int:
    """A series' Metadata message; false where it is malformed."""
    position, end = span
    details = request.details
    while position < end:
        at = position
        tag, position = read_varint(base, position, end)
        fault = varint_fault(position) if position < 0 else 0
        if fault == 0 and (tag == uint64(0x08) or tag == uint64(0x18) or tag == uint64(0x20)):
            number, position = read_varint(base, position, end)
            fault = varint_fault(position) if position < 0 else 0
            cut = np.int64(number & uint64(0xFFFFFFFF))
            if tag == uint64(0x08):
                details.kind[row] = cut
            elif tag == uint64(0x18):
                details.help[row] = cut
            else:
                details.unit[row] = cut
        elif fault == 0:
            position, fault = skip_value(base, np.int64(tag), position, end)
        if fault != 0:
            note_fault(request.notes, fault, IN_METADATA, 0, at)
            return False
    return True


@njit(nogil=True, cache=True)
def _take_number(base: Int, tag: Int, span: tuple[Int, Int], row: Int, request: SymbolRequest) -> tuple[Int, Int, Int]:
    """A field of a series that is not length-delimited: position behind it, its value, fault."""
    field = tag >> 3
    if tag & 7 == 0 and (field == 1 or field == 6):
        number, after = read_varint(base, span[0], span[1])
        if after < 0:
            return 0, 0, varint_fault(after)
        if field == 6:
            request.details.created_ms[row] = np.int64(number)
        return after, np.int64(number), 0
    if 1 <= field <= 6:
        return 0, 0, WRONG_WIRE_TYPE
    after, fault = skip_value(base, tag, span[0], span[1])
    return after, 0, fault


@njit(nogil=True, cache=True)
def _take_delimited(base: Int, field: Int, span: tuple[Int, Int], row: Int, request: SymbolRequest) -> Int:
    """A message inside a series; false where it is malformed."""
    notes = request.notes
    if field == 2:
        return store_sample(base, span, row, request.samples, notes)
    if field == 5:
        return _walk_metadata(base, span, row, request)
    if field == 3:
        notes.counts[3] += 1
    elif field == 4:
        notes.counts[2] += 1
    return True


@njit(nogil=True, cache=True)
def _walk_series(base: Int, row: Int, request: SymbolRequest, secrets: HashSecrets) -> bool:
    """One TimeSeries of version 2; false where it is malformed."""
    position = request.series.start[row]
    end = request.series.end[row]
    labels = _Labels(secrets[0], 0, -1)
    while position < end:
        at = position
        tag, position = read_varint(base, position, end)
        fault = varint_fault(position) if position < 0 else 0
        field = np.int64(tag >> uint64(3))
        number = np.int64(0)
        if fault == 0 and tag & uint64(7) != uint64(2):
            position, number, fault = _take_number(base, np.int64(tag), (position, end), row, request)
            if fault == 0 and field == 1:
                labels = _take_ref(base, uint64(number), row, labels, request, secrets)
        elif fault == 0:
            start, position, fault = take_length(base, position, end)
            if fault == 0 and field == 6:
                fault = WRONG_WIRE_TYPE
            if fault == 0 and field == 1:
                while start < position and fault == 0:
                    ref, start = read_varint(base, start, position)
                    fault = varint_fault(start) if start < 0 else 0
                    labels = _take_ref(base, ref, row, labels, request, secrets)
            elif fault == 0 and not _take_delimited(base, field, (start, position), row, request):
                return False
        if fault != 0:
            note_fault(request.notes, fault, IN_SERIES, field, at)
            return False
    if labels.n_refs & 1 == 1:
        request.details.verdict[row] = ODD_REFS
    request.series.key[row] = combine_hashes(labels.key, uint64(labels.n_refs), secrets)
    return True


@njit(nogil=True, cache=True)
def walk_symbol_series(buffer: NDArray[np.uint8], words: NDArray[np.uint64], request: SymbolRequest) -> bool:
    """All series that `walk_request` found: keys, samples, details; false (and a fault) where one is malformed."""
    base = address_of(buffer)
    secrets = to_tuple(words)
    for row in range(len(request.series.start)):  # noqa: SIM110 (Numba compiles no generators)
        if not _walk_series(base, row, request, secrets):
            return False
    return True
