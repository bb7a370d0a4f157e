"""Results and failures as the protocol answers them, over HTTP in the request's encoding, and over gRPC.

Source: https://opentelemetry.io/docs/specs/otlp/#otlphttp-response and #failures; a `google.rpc.Status` carries the
message, its `RetryInfo` says when to come again. A sender may repeat what is answered 429, 502, 503 and 504, and over
gRPC UNAVAILABLE, and RESOURCE_EXHAUSTED when it has a RetryInfo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from google.protobuf import json_format
from google.rpc import error_details_pb2, status_pb2

from swarmscope.model.errors import LimitExceededError, MalformedInputError, UnavailableError
from swarmscope.receivers.wire.decompression import UnsupportedEncodingError
from swarmscope.receivers.wire.request_headers import UnsupportedMediaError


class RpcCode(IntEnum):
    """google.rpc.Code, as far as it is used."""

    INVALID_ARGUMENT = 3
    RESOURCE_EXHAUSTED = 8
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14


@dataclass(frozen=True, slots=True)
class Failure:
    """A failure in the words of both transports. `retry_after_s` is None where repeating cannot help."""

    code: RpcCode
    http_status: int
    message: str
    retry_after_s: float | None = None

    def to_status(self) -> status_pb2.Status:
        """The google.rpc.Status message."""
        status = status_pb2.Status(code=int(self.code), message=self.message)
        if self.retry_after_s is not None:
            retry = error_details_pb2.RetryInfo()
            retry.retry_delay.FromNanoseconds(int(self.retry_after_s * 1e9))
            status.details.add().Pack(retry)
        return status

    def to_retry_header(self) -> dict[str, str]:
        """`Retry-After`, in whole seconds."""
        return {} if self.retry_after_s is None else {"Retry-After": str(max(1, math.ceil(self.retry_after_s)))}


def to_failure(error: Exception) -> Failure:
    """What to tell the sender of an exception; what is not foreseen is told as INTERNAL without its text."""
    if isinstance(error, UnsupportedEncodingError | UnsupportedMediaError):
        return Failure(RpcCode.INVALID_ARGUMENT, 415, str(error))
    if isinstance(error, MalformedInputError):
        return Failure(RpcCode.INVALID_ARGUMENT, 400, str(error))
    if isinstance(error, LimitExceededError):
        text = f"{error} ({error.limit})"
        if error.too_large:
            return Failure(RpcCode.RESOURCE_EXHAUSTED, 413, text)
        if error.retry_after_s is not None:
            return Failure(RpcCode.RESOURCE_EXHAUSTED, 429, text, error.retry_after_s)
        return Failure(RpcCode.INVALID_ARGUMENT, 400, text)
    if isinstance(error, UnavailableError):
        return Failure(RpcCode.UNAVAILABLE, 503, str(error), error.retry_after_s)
    return Failure(RpcCode.INTERNAL, 500, "the request could not be processed; the server's log says why")


def to_body(message: Any, *, as_json: bool) -> bytes:
    """A message in the request's encoding."""
    if as_json:
        return json_format.MessageToJson(message, indent=None).encode()
    serialised: bytes = message.SerializeToString()
    return serialised
