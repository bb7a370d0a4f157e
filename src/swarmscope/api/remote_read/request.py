"""Remote read requests: snappy-compressed protobuf to queries."""

from __future__ import annotations

from typing import NamedTuple

import cramjam
from google.protobuf.message import DecodeError

from swarmscope.api.remote_read.schema import MESSAGES, SAMPLES, STREAMED_XOR_CHUNKS
from swarmscope.model.errors import MalformedInputError
from swarmscope.model.matchers import Matcher, MatchOperator

# A request is matchers and times: what unpacks to more is no request.
MAX_REQUEST_BYTES = 8 << 20
_OPERATORS = (MatchOperator.EQUAL, MatchOperator.NOT_EQUAL, MatchOperator.REGEX, MatchOperator.NOT_REGEX)


class ReadQuery(NamedTuple):
    """One query; the time range is closed."""

    start_ms: int
    end_ms: int
    matchers: tuple[Matcher, ...]


class ReadRequest(NamedTuple):
    """What was asked, and whether the answer may be streamed chunks."""

    queries: tuple[ReadQuery, ...]
    streamed: bool


def decode_read_request(body: bytes) -> ReadRequest:
    """Raises MalformedInputError with Prometheus' wording where it has one."""
    if _unpacked_size(body) > MAX_REQUEST_BYTES:
        raise MalformedInputError(f"snappy: decoded block is too large, more than {MAX_REQUEST_BYTES} bytes")
    try:
        plain = bytes(cramjam.snappy.decompress_raw(body))
    except cramjam.DecompressionError:
        raise MalformedInputError("snappy: corrupt input") from None
    message = MESSAGES["ReadRequest"]()
    try:
        message.ParseFromString(plain)
    except DecodeError as error:
        raise MalformedInputError(f"proto: {error}") from None
    return ReadRequest(tuple(_to_query(query) for query in message.queries), _streamed(message))


def _unpacked_size(body: bytes) -> int:
    """The uvarint that a snappy block begins with."""
    size = 0
    for place, byte in enumerate(body[:5]):
        size |= (byte & 0x7F) << (7 * place)
        if byte < 0x80:
            return size
    raise MalformedInputError("snappy: corrupt input")


def _streamed(message: object) -> bool:
    """The first accepted type that we know decides; none given means samples."""
    accepted = list(message.accepted_response_types)  # type: ignore[attr-defined]
    for kind in accepted:
        if kind in (SAMPLES, STREAMED_XOR_CHUNKS):
            return bool(kind == STREAMED_XOR_CHUNKS)
    if accepted:
        raise MalformedInputError(f"server does not support any of the requested response types: {accepted}")
    return False


def _to_query(query: object) -> ReadQuery:
    matchers = []
    for one in query.matchers:  # type: ignore[attr-defined]
        if not 0 <= one.type < len(_OPERATORS):
            raise MalformedInputError(f"unknown matcher type {one.type}")
        matchers.append(Matcher(one.name, _OPERATORS[one.type], one.value))
    return ReadQuery(query.start_timestamp_ms, query.end_timestamp_ms, tuple(matchers))  # type: ignore[attr-defined]
