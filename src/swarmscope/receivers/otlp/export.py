"""Export requests from bytes to an answer: decode, hand to the sink, tell what was refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

from swarmscope.model.contracts import Receipt, SeriesIndex, Sink
from swarmscope.model.errors import LimitExceededError
from swarmscope.receivers.otlp.decode import DecodedMetrics, MetricsDecoder
from swarmscope.receivers.otlp.json_request import encode_json_request
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.wire.decode_room import DecodeRoom, Share, batch_bytes
from swarmscope.receivers.wire.decompression import decompress

# Memory that decoding takes at its worst, measured with bodies of the smallest messages there are: so many bytes for
# each of the body, whose effect the bound on cells ends at the second figure. JSON becomes Python objects at first.
_WORST_FACTOR = 48
_WORST_BYTES = 3 << 29
_JSON_FACTOR = 40

_REQUEST = metrics_service_pb2.ExportMetricsServiceRequest.DESCRIPTOR


@dataclass(frozen=True, slots=True)
class ExportResult:
    """Partial success as the protocol has it; zero and "" when all was taken."""

    rejected_points: int = 0
    message: str = ""


class OtlpMetrics:
    """Takes export requests from all OTLP endpoints of the process: they share names, keys and running totals."""

    def __init__(
        self,
        settings: OtlpSettings,
        sink: Sink,
        index: SeriesIndex,
        now_ns: Callable[[], int] = time.time_ns,
        room: DecodeRoom | None = None,
    ) -> None:
        self.settings = settings
        self.room = room or DecodeRoom()
        self._sink = sink
        self._decoder = MetricsDecoder(settings, index, now_ns)

    @property
    def n_running_totals(self) -> int:
        """Delta series and histograms whose running total is kept."""
        return self._decoder.n_running_totals

    def export(self, body: NDArray[np.uint8], tenant: str) -> ExportResult:
        """Store one serialised ExportMetricsServiceRequest; blocks until it is durable.

        Raises MalformedInputError, LimitExceededError and UnavailableError when nothing was taken.
        """
        with self.room.taken() as share:
            return self._export(body, tenant, share)

    def export_packed(self, body: bytes, encoding: str, tenant: str, *, as_json: bool) -> ExportResult:
        """Store one request as it came over HTTP. Raises as `export`."""
        with self.room.taken() as share:
            raw = decompress(body, encoding, self.settings.max_body_bytes_decompressed, share.resize)
            return self._export_json(raw, tenant, share) if as_json else self._export(raw, tenant, share)

    def _export(self, body: NDArray[np.uint8], tenant: str, share: Share) -> ExportResult:
        share.resize(len(body) + min(_WORST_FACTOR * len(body), _WORST_BYTES))
        decoded = self._decoder.decode(body, tenant)
        share.resize(min(share.n_bytes, len(body) + batch_bytes(decoded.batch)))
        if decoded.batch.n_samples == 0 and decoded.batch.metadata is None:
            self._decoder.confirm(decoded)
            return ExportResult(decoded.refusals.n_points, decoded.refusals.to_message())
        try:
            receipt = self._sink.write_metrics(decoded.batch)
        except BaseException:
            self._decoder.take_back(decoded)
            raise
        taken = receipt.samples + receipt.histograms
        if receipt.refused and receipt.retryable and taken == 0:
            self._decoder.take_back(decoded)
            raise LimitExceededError(
                "; ".join(receipt.refused), limit=receipt.limit or "limits", retry_after_s=self.settings.retry_after_s
            )
        self._decoder.confirm(decoded)
        return _to_result(decoded, receipt)

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
        encoded = encode_json_request(_REQUEST, body.tobytes())
        return self._export(np.frombuffer(encoded, np.uint8), tenant, share)


def _to_result(decoded: DecodedMetrics, receipt: Receipt) -> ExportResult:
    """The sink counts samples, the protocol data points: a point counts as refused at most once for each sample."""
    kept = decoded.n_points - decoded.refusals.n_points
    refused = sum(receipt.refused.values())
    by_sink = kept if receipt.samples + receipt.histograms == 0 and refused else min(refused, kept)
    texts = [f"{count} samples refused: {reason}" for reason, count in receipt.refused.items()]
    if decoded.refusals.counts:
        texts.append(decoded.refusals.to_message())
    return ExportResult(decoded.refusals.n_points + by_sink, "; ".join(texts))
