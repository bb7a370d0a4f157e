"""The datagrams of Jaeger's agent: a Thrift message each, which calls `emitBatch`.

Source: https://github.com/jaegertracing/jaeger-idl/blob/main/thrift/agent.thrift; the head of a message is described
with the protocols, see `receivers/wire/thrift_kernel.py`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from swarmscope.model.errors import MalformedInputError
from swarmscope.receivers.jaeger.decode import BatchDecoder
from swarmscope.receivers.wire.decode_room import Share
from swarmscope.receivers.wire.span_push import PushedSpans

_STRICT_VERSION = 0x8001
_COMPACT_MARK, _COMPACT_VERSION = 0x82, 1
_CALL, _ONEWAY = 1, 4
_METHOD = "emitBatch"
_MAX_VARINT_BYTES = 5
_MAX_NAME_BYTES = 256  # what a wrong head would be taken for is not shown


class MessageHead(NamedTuple):
    """What stands before a call's arguments."""

    method: str
    kind: int
    end: int  # where the arguments begin


class _Bytes:
    """Reads a head from left to right. Raises MalformedInputError beyond the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if count > len(self._data) - self.at:
            raise MalformedInputError(f"the message ends inside its head, at byte {len(self._data)}")
        taken = self._data[self.at : self.at + count]
        self.at += count
        return taken

    def number(self, count: int) -> int:
        return int.from_bytes(self.take(count), "big")

    def varint(self) -> int:
        value = 0
        for place in range(_MAX_VARINT_BYTES):
            byte = self.number(1)
            value |= (byte & 0x7F) << 7 * place
            if byte < 0x80:
                return value
        raise MalformedInputError(f"the message's head has a varint that is too long, before byte {self.at}")

    def name(self, length: int) -> str:
        if length > _MAX_NAME_BYTES:
            raise MalformedInputError(f"the message's name has {length} bytes: this is no call of the agent")
        return self.take(length).decode(errors="replace")


def parse_head(data: bytes, *, compact: bool) -> MessageHead:
    """The head of a message. Raises MalformedInputError for what is no Thrift message of the protocol."""
    source = _Bytes(data)
    if compact:
        mark, version = source.number(1), source.number(1)
        if mark != _COMPACT_MARK or version & 0x1F != _COMPACT_VERSION:
            raise MalformedInputError("this is no message of Thrift's compact protocol")
        source.varint()
        return MessageHead(source.name(source.varint()), version >> 5, source.at)
    first = source.number(4)
    if first >> 16 == _STRICT_VERSION:
        method, kind = source.name(source.number(4)), first & 0xFF
    elif first >> 31:
        raise MalformedInputError("this is no message of Thrift's binary protocol")
    else:  # the protocol's older head, without a version
        method, kind = source.name(first), source.number(1)
    source.number(4)
    return MessageHead(method, kind, source.at)


class DatagramDecoder:
    """Decodes the agent's messages of one protocol; thread-safe."""

    def __init__(self, *, compact: bool) -> None:
        self._compact = compact
        self._decoder = BatchDecoder()

    def decode(self, datagrams: list[bytes], tenant: str, share: Share) -> tuple[PushedSpans | None, list[str]]:
        """One batch of what several datagrams hold, None for nothing; and what is wrong with each malformed one.

        Raises LimitExceededError.
        """
        try:
            return self._decode_all(datagrams, tenant, share), []
        except MalformedInputError as error:
            if len(datagrams) == 1:
                return None, [str(error)]
        # Slow path: which ones are they?
        good, faults = [], []
        for datagram in datagrams:
            try:
                self._decode_all([datagram], tenant, share)
                good.append(datagram)
            except MalformedInputError as error:
                faults.append(str(error))
        return self._decode_all(good, tenant, share) if good else None, faults

    def _decode_all(self, datagrams: list[bytes], tenant: str, share: Share) -> PushedSpans:
        ends = np.cumsum([len(datagram) for datagram in datagrams])
        starts = ends - [len(datagram) - self._begin(datagram) for datagram in datagrams]
        body = np.frombuffer(b"".join(datagrams), np.uint8)
        claim, spans = share.resize, (starts.astype(np.int64), ends.astype(np.int64))
        return self._decoder.decode(body, tenant, claim, compact=self._compact, spans=spans, root=_METHOD)

    def _begin(self, datagram: bytes) -> int:
        """Where the arguments begin. Raises MalformedInputError, for other calls than `emitBatch` by their name."""
        head = parse_head(datagram, compact=self._compact)
        if head.method != _METHOD or head.kind not in (_CALL, _ONEWAY):
            raise MalformedInputError(f"the agent's call {head.method!r} is not supported; {_METHOD!r} is")
        return head.end
