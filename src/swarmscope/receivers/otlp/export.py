"""Export requests from bytes to an answer: decode, hand to the sink, tell what was refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2

from swarmscope.model.contracts import Receipt, SeriesIndex, Sink
from swarmscope.model.errors import LimitExceededError
from swarmscope.receivers.otlp.decode import DecodedMetrics, MetricsDecoder
from swarmscope.receivers.otlp.exporter import ExportResult, OtlpExporter
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.wire.decode_room import DecodeRoom, Share, batch_bytes

# Memory that decoding takes at its worst, measured with bodies of the smallest messages there are: so many bytes for
# each of the body, whose effect the bound on cells ends at the second figure.
_WORST_FACTOR = 48
_WORST_BYTES = 3 << 29


class OtlpMetrics(OtlpExporter):
    """Metrics from all OTLP endpoints of the process: they share names, keys and running totals."""

    rpc_method = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
    paths = ("/v1/metrics",)

    def __init__(
        self,
        settings: OtlpSettings,
        sink: Sink,
        index: SeriesIndex,
        now_ns: Callable[[], int] = time.time_ns,
        room: DecodeRoom | None = None,
    ) -> None:
        super().__init__(settings, metrics_service_pb2.ExportMetricsServiceRequest.DESCRIPTOR, room)
        self._sink = sink
        self._decoder = MetricsDecoder(settings, index, now_ns)

    @property
    def n_running_totals(self) -> int:
        """Delta series and histograms whose running total is kept."""
        return self._decoder.n_running_totals

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

    def to_response(self, result: ExportResult) -> Any:
        """The ExportMetricsServiceResponse."""
        response = metrics_service_pb2.ExportMetricsServiceResponse()
        if result.rejected or result.message:
            response.partial_success.rejected_data_points = result.rejected
            response.partial_success.error_message = result.message
        return response


def _to_result(decoded: DecodedMetrics, receipt: Receipt) -> ExportResult:
    """The sink counts samples, the protocol data points: a point counts as refused at most once for each sample."""
    kept = decoded.n_points - decoded.refusals.n_points
    refused = sum(receipt.refused.values())
    by_sink = kept if receipt.samples + receipt.histograms == 0 and refused else min(refused, kept)
    texts = [f"{count} samples refused: {reason}" for reason, count in receipt.refused.items()]
    if decoded.refusals.counts:
        texts.append(decoded.refusals.to_message())
    return ExportResult(decoded.refusals.n_points + by_sink, "; ".join(texts))
