"""Export requests of spans from bytes to an answer: decode, hand to the sink, tell what was refused."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from swarmscope.instrument import metrics
from swarmscope.model.contracts import Receipt, SpanSink
from swarmscope.model.errors import LimitExceededError
from swarmscope.receivers.otlp.exporter import ExportResult, OtlpExporter
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.otlp.span_decode import TracesDecoder
from swarmscope.receivers.wire.decode_room import DecodeRoom, Share, array_bytes
from swarmscope.receivers.wire.log_memory import scan_bytes


class OtlpTraces(OtlpExporter):
    """Spans from all OTLP endpoints of the process."""

    rpc_method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
    paths = ("/v1/traces",)

    def __init__(self, settings: OtlpSettings, sink: SpanSink, room: DecodeRoom | None = None) -> None:
        super().__init__(settings, trace_service_pb2.ExportTraceServiceRequest.DESCRIPTOR, room)
        self._sink = sink
        self._decoder = TracesDecoder()

    def _export(self, body: NDArray[np.uint8], tenant: str, share: Share) -> ExportResult:
        share.resize(scan_bytes(len(body)))
        decoded = self._decoder.decode(body, tenant, share.resize)
        share.resize(min(share.n_bytes, len(body) + array_bytes(decoded.batch)))
        metrics.REPAIRED_TEXTS.labels(protocol="otlp").inc(decoded.n_repaired)
        receipt = self._sink.write_spans(decoded.batch) if len(decoded.batch) else Receipt()
        if receipt.refused and receipt.retryable and receipt.spans == 0:
            raise LimitExceededError(
                "; ".join(receipt.refused), limit=receipt.limit or "limits", retry_after_s=self.settings.retry_after_s
            )
        refused = [*decoded.refused.items(), *receipt.refused.items()]
        message = "; ".join(f"{count} spans refused: {reason}" for reason, count in refused)
        return ExportResult(sum(count for _, count in refused), message)

    def to_response(self, result: ExportResult) -> Any:
        """The ExportTraceServiceResponse."""
        response = trace_service_pb2.ExportTraceServiceResponse()
        if result.rejected or result.message:
            response.partial_success.rejected_spans = result.rejected
            response.partial_success.error_message = result.message
        return response
