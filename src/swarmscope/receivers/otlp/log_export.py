"""Export requests of logs from bytes to an answer: decode, hand to the sink, tell what was refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2

from swarmscope.instrument import metrics
from swarmscope.model.contracts import LogSink, Receipt, SeriesIndex
from swarmscope.model.errors import LimitExceededError
from swarmscope.receivers.otlp.exporter import ExportResult, OtlpExporter
from swarmscope.receivers.otlp.log_decode import LogsDecoder
from swarmscope.receivers.otlp.settings import OtlpSettings
from swarmscope.receivers.wire.decode_room import DecodeRoom, Share, array_bytes
from swarmscope.receivers.wire.log_memory import scan_bytes


class OtlpLogs(OtlpExporter):
    """Logs from all OTLP endpoints of the process; Loki serves OTLP at a path of its own."""

    rpc_method = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
    paths = ("/v1/logs", "/otlp/v1/logs", "/loki/otlp/v1/logs")

    def __init__(
        self,
        settings: OtlpSettings,
        sink: LogSink,
        index: SeriesIndex,
        now_ns: Callable[[], int] = time.time_ns,
        room: DecodeRoom | None = None,
    ) -> None:
        super().__init__(settings, logs_service_pb2.ExportLogsServiceRequest.DESCRIPTOR, room)
        self._sink = sink
        self._decoder = LogsDecoder(settings, index, now_ns)

    def _export(self, body: NDArray[np.uint8], tenant: str, share: Share) -> ExportResult:
        share.resize(scan_bytes(len(body)))
        decoded = self._decoder.decode(body, tenant, share.resize)
        share.resize(min(share.n_bytes, len(body) + array_bytes(decoded.batch)))
        metrics.REPAIRED_TEXTS.labels(protocol="otlp").inc(decoded.n_repaired)
        receipt = self._sink.write_logs(decoded.batch) if len(decoded.batch) else Receipt()
        if receipt.refused and receipt.retryable and receipt.lines == 0:
            raise LimitExceededError(
                "; ".join(receipt.refused), limit=receipt.limit or "limits", retry_after_s=self.settings.retry_after_s
            )
        refused = [*decoded.refused.items(), *receipt.refused.items()]
        message = "; ".join(f"{count} log records refused: {reason}" for reason, count in refused)
        return ExportResult(sum(count for _, count in refused), message)

    def to_response(self, result: ExportResult) -> Any:
        """The ExportLogsServiceResponse."""
        response = logs_service_pb2.ExportLogsServiceResponse()
        if result.rejected or result.message:
            response.partial_success.rejected_log_records = result.rejected
            response.partial_success.error_message = result.message
        return response
