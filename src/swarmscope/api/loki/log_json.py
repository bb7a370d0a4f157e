"""Lines as Loki's JSON, written by compiled code: no Python object per line.

A stream is `{"stream":{…},"values":[["1700000000000000000","line"],…]}`; where labels are wanted by category, every
value has a third element `{"structuredMetadata":{…},"parsed":{…}}`.
Source: https://grafana.com/docs/loki/latest/reference/loki-http-api/#query-logs-within-a-range-of-time
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import orjson
from numba import njit
from numpy.typing import NDArray

from swarmscope.api.plain_arrays import byte_array, plain_array
from swarmscope.query.logql.blocks import LabelKind
from swarmscope.query.logql.log_answers import AnswerLabels, LogsResult

_QUOTE, _BACKSLASH, _COMMA, _ZERO, _MINUS = ord('"'), ord("\\"), ord(","), ord("0"), ord("-")
_OPEN, _CLOSE = ord("["), ord("]")
_OPEN_OBJECT, _CLOSE_OBJECT = ord("{"), ord("}")
_NO_MEMBER = -1
_LETTER_A = ord("a")
# What a control character is written as behind the backslash; 0: as `\u00XX`.
_SHORT = np.zeros(32, np.uint8)
for _code, _letter in ((8, "b"), (9, "t"), (10, "n"), (12, "f"), (13, "r")):
    _SHORT[_code] = ord(_letter)
_MAX_STAMP_BYTES = 20
_VALUE_FRAME_BYTES = _MAX_STAMP_BYTES + 10
_STREAM_END = byte_array(b"]},")


class Lines(NamedTuple):
    """Lines in the order in which they are written; those of one stream stand together."""

    stream: NDArray[np.int64]  # [n] number of a head
    group: NDArray[np.int64]  # [n] number of a tail
    ts_ns: NDArray[np.int64]  # [n]
    buffer: NDArray[np.uint8]
    start: NDArray[np.int64]  # [n]
    length: NDArray[np.int64]  # [n]


@njit(nogil=True, cache=True)
def _escaped_length(buffer: NDArray[np.uint8], start: int, length: int) -> int:
    size = length
    for k in range(start, start + length):
        byte = buffer[k]
        if byte < 32:
            size += 1 if _SHORT[byte] else 5
        elif byte in (_QUOTE, _BACKSLASH):
            size += 1
    return size


@njit(nogil=True, cache=True)
def _write_escaped(out: NDArray[np.uint8], at: int, buffer: NDArray[np.uint8], start: int, length: int) -> int:
    out[at] = _QUOTE
    at += 1
    for k in range(start, start + length):
        byte = buffer[k]
        if byte >= 32 and byte not in (_QUOTE, _BACKSLASH):
            out[at] = byte
            at += 1
            continue
        out[at] = _BACKSLASH
        if byte >= 32:
            out[at + 1] = byte
            at += 2
        elif _SHORT[byte]:
            out[at + 1] = _SHORT[byte]
            at += 2
        else:
            out[at + 1] = 117  # u
            out[at + 2] = _ZERO
            out[at + 3] = _ZERO
            out[at + 4] = _ZERO + (byte >> 4)
            low = byte & 15
            out[at + 5] = _ZERO + low if low < 10 else _LETTER_A + low - 10
            at += 6
    out[at] = _QUOTE
    return at + 1


@njit(nogil=True, cache=True)
def _write_number(out: NDArray[np.uint8], at: int, number: int) -> int:
    if number < 0:
        out[at] = _MINUS
        at += 1
        number = -number
    digits = 1
    rest = number // 10
    while rest > 0:
        digits += 1
        rest //= 10
    for k in range(digits - 1, -1, -1):
        out[at + k] = _ZERO + number % 10
        number //= 10
    return at + digits


@njit(nogil=True, cache=True)
def _copy(out: NDArray[np.uint8], at: int, source: NDArray[np.uint8], start: int, end: int) -> int:
    for k in range(start, end):
        out[at] = source[k]
        at += 1
    return at


class Texts(NamedTuple):
    """Texts by number, one behind the other."""

    text: NDArray[np.uint8]
    bounds: NDArray[np.int64]  # [n_texts + 1]


@njit(nogil=True, cache=True)
def _room(lines: Lines, heads: Texts, tails: Texts) -> int:
    size = 0
    for row in range(len(lines.ts_ns)):
        size += _escaped_length(lines.buffer, lines.start[row], lines.length[row]) + _VALUE_FRAME_BYTES
        size += tails.bounds[lines.group[row] + 1] - tails.bounds[lines.group[row]]
        if row == 0 or lines.stream[row] != lines.stream[row - 1]:
            size += heads.bounds[lines.stream[row] + 1] - heads.bounds[lines.stream[row]] + len(_STREAM_END)
    return size


@njit(nogil=True, cache=True)
def _write_streams(out: NDArray[np.uint8], lines: Lines, heads: Texts, tails: Texts) -> int:
    at = 0
    for row in range(len(lines.ts_ns)):
        stream, group = lines.stream[row], lines.group[row]
        if row == 0 or stream != lines.stream[row - 1]:
            if row:
                at = _copy(out, at, _STREAM_END, 0, len(_STREAM_END))
            at = _copy(out, at, heads.text, heads.bounds[stream], heads.bounds[stream + 1])
        else:
            out[at] = _COMMA
            at += 1
        out[at] = _OPEN
        out[at + 1] = _QUOTE
        at = _write_number(out, at + 2, lines.ts_ns[row])
        out[at] = _QUOTE
        out[at + 1] = _COMMA
        at = _write_escaped(out, at + 2, lines.buffer, lines.start[row], lines.length[row])
        at = _copy(out, at, tails.text, tails.bounds[group], tails.bounds[group + 1])
        out[at] = _CLOSE
        at += 1
    return at


def _texts(parts: Sequence[bytes]) -> Texts:
    return Texts(byte_array(b"".join(parts)), np.cumsum([0, *map(len, parts)], dtype=np.int64))


def streams_json(result: LogsResult, *, categorised: bool = False) -> bytes:
    """The result array of a log query, streams in the order of their labels.

    With `categorised`, lines stand under the labels of their streams alone, and what else is known of a line is its
    third element.
    """
    if len(result) == 0:
        return b"[]"
    labels = result.labels
    heads = _objects(labels, labels.kinds == LabelKind.STREAM if categorised else np.ones_like(labels.kinds, np.bool_))
    distinct = sorted(set(heads))
    number = {text: at for at, text in enumerate(distinct)}
    stream_of_group = np.array([number[text] for text in heads], np.int64)
    tails = _third_elements(labels) if categorised else [b""] * labels.n_sets
    stream = stream_of_group[result.group]
    order = np.argsort(stream, kind="stable")
    line = result.line
    lines = Lines(
        plain_array(stream[order], np.int64),
        plain_array(result.group[order], np.int64),
        plain_array(result.ts_ns[order], np.int64),
        plain_array(line.buffer, np.uint8),
        plain_array(line.start[order], np.int64),
        plain_array(line.length[order], np.int64),
    )
    head_texts = _texts([b'{"stream":' + text + b',"values":[' for text in distinct])
    tail_texts = _texts(tails)
    out = np.empty(_room(lines, head_texts, tail_texts) + 64, np.uint8)
    size = _write_streams(out, lines, head_texts, tail_texts)
    return b"[" + out[:size].tobytes() + b"]}]"


def _objects(labels: AnswerLabels, chosen: NDArray[np.bool_]) -> list[bytes]:
    """The `chosen` [n_names, n_sets] labels of each set as a JSON object, sorted by name."""
    members: list[bytes] = []
    which = np.full((labels.n_sets, len(labels.names)), np.int64(_NO_MEMBER))
    for row, (name, texts) in enumerate(zip(labels.names, labels.texts, strict=True)):
        codes = labels.codes[row]
        wanted = chosen[row] & (codes >= 0)
        which[wanted, row] = codes[wanted] + len(members)
        key = orjson.dumps(name) + b":"
        members.extend([key + orjson.dumps(text) for text in texts])
    out, bounds = _joined_members(_texts(members), which)
    text, at = out.tobytes(), bounds.tolist()
    return [text[begin:end] for begin, end in zip(at, at[1:], strict=False)]


@njit(nogil=True, cache=True)
def _joined_members(members: Texts, which: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Objects of the members `which` [n_objects, n] one behind the other: text, and bounds [n_objects + 1]."""
    size = 3 * len(which)
    for row in range(len(which)):
        for member in which[row]:
            if member >= 0:
                size += members.bounds[member + 1] - members.bounds[member] + 1
    out, bounds = np.empty(size, np.uint8), np.zeros(len(which) + 1, np.int64)
    at = 0
    for row in range(len(which)):
        out[at] = _OPEN_OBJECT
        at += 1
        for member in which[row]:
            if member >= 0:
                if at - 1 != bounds[row]:
                    out[at] = _COMMA
                    at += 1
                at = _copy(out, at, members.text, members.bounds[member], members.bounds[member + 1])
        out[at] = _CLOSE_OBJECT
        at += 1
        bounds[row + 1] = at
    return out[:at], bounds


def _third_elements(labels: AnswerLabels) -> list[bytes]:
    """What is known of a line beside its stream, by set; empty kinds are left out."""
    metadata = _objects(labels, labels.kinds == LabelKind.METADATA)
    parsed = _objects(labels, labels.kinds == LabelKind.MADE)
    return [_third_element(*each) for each in zip(metadata, parsed, strict=True)]


def _third_element(metadata: bytes, parsed: bytes) -> bytes:
    kinds = ((b'"structuredMetadata":', metadata), (b'"parsed":', parsed))
    return b",{" + b",".join([key + labels for key, labels in kinds if labels != b"{}"]) + b"}"
