"""What export requests of all signals have in common: how they are taken in, and how their answer is told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.descriptor import Descriptor
from numpy.typing import NDArray

from swarmscope.model.errors import LimitExceededError
from swarmscope.receivers.otlp.json_request import encode_json_request
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.wire.decode_room import DecodeRoom, Share
from swarmscope.receivers.wire.decompression import decompress

_JSON_FACTOR = 40  # JSON becomes Python objects at first: so many bytes for each of the body


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Partial success as the protocol has it; zero and "" when all was taken.

    What is counted is the signal's: data points, log records.
    """

    rejected: int = 0
    message: str = ""


class OtlpExporter(ABC):
    """Takes export requests of one signal from all OTLP endpoints of the process."""

    rpc_method: str  # "/package.Service/Method"
    paths: tuple[str, ...]  # over HTTP

    def __init__(self, settings: OtlpSettings, request: Descriptor, room: DecodeRoom | None) -> None:
        self.settings = settings
        self.room = room or DecodeRoom()
        self._request = request

    def export(self, body: NDArray[np.uint8], tenant: str) -> ExportResult:
        """Store one serialised request; blocks until it is durable.

        Raises MalformedInputError, LimitExceededError and UnavailableError when nothing was taken.
        """
        with self.room.taken() as share:
            return self._export(body, tenant, share)

    def export_packed(self, body: bytes, encoding: str, tenant: str, *, as_json: bool) -> ExportResult:
        """Store one request as it came over HTTP. Raises as `export`."""
        with self.room.taken() as share:
            raw = decompress(body, encoding, self.settings.max_body_bytes_decompressed, share.resize)
            return self._export_json(raw, tenant, share) if as_json else self._export(raw, tenant, share)

    def export_json(self, body: NDArray[np.uint8], tenant: str) -> ExportResult:
        """Store one request in OTLP/JSON. Raises as `export`."""
        with self.room.taken() as share:
            return self._export_json(body, tenant, share)

    def _export_json(self, body: NDArray[np.uint8], tenant: str, share: Share) -> ExportResult:
        if len(body) > self.settings.max_json_bytes:
            raise LimitExceededError(
                f"the JSON body has more than {self.settings.max_json_bytes} bytes",
                limit="otlp.max_json_bytes",
                too_large=True,
            )
        share.resize(_JSON_FACTOR * len(body))
        encoded = encode_json_request(self._request, body.tobytes())
        return self._export(np.frombuffer(encoded, np.uint8), tenant, share)

    @abstractmethod
    def _export(self, body: NDArray[np.uint8], tenant: str, share: Share) -> ExportResult:
        """Decode and store; `share` is told what that takes of the memory for decoding."""

    @abstractmethod
    def to_response(self, result: ExportResult) -> Any:
        """The response message; without `partial_success` when all was taken and there is nothing to say."""
