"""OTLP over gRPC (https://opentelemetry.io/docs/specs/otlp/#otlpgrpc)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import grpc
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from swarmscope.sdk.delivery.counters import Signal
from swarmscope.sdk.delivery.transport import Answer, Reply

_METHODS = {
    Signal.TRACES: "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    Signal.METRICS: "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    Signal.LOGS: "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_WORTH_ANOTHER_TRY = frozenset(
    {
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
# gRPC's own waiting between connections would otherwise grow to two minutes, whatever our backoff is.
_OPTIONS = (("grpc.initial_reconnect_backoff_ms", 100), ("grpc.max_reconnect_backoff_ms", 1000))


class GrpcTransport:
    """Calls one method of one endpoint."""

    def __init__(
        self, endpoint: str, signal: Signal, headers: Mapping[str, str], *, certificate_file: str | None, compress: bool
    ) -> None:
        parts = urlsplit(endpoint)
        self._target = parts.netloc
        self._secure = parts.scheme == "https"
        self._method = _METHODS[signal]
        self._metadata = tuple((name.lower(), value) for name, value in headers.items())
        self._certificate_file = certificate_file
        self._compression = grpc.Compression.Gzip if compress else grpc.Compression.NoCompression
        self._connect()

    def _connect(self) -> None:
        if self._secure:
            roots = Path(self._certificate_file).read_bytes() if self._certificate_file else None
            credentials = grpc.ssl_channel_credentials(root_certificates=roots)
            self._channel = grpc.secure_channel(self._target, credentials, _OPTIONS, self._compression)
        else:
            self._channel = grpc.insecure_channel(self._target, _OPTIONS, self._compression)
        # Bytes in, bytes out: the message is encoded already.
        self._call = self._channel.unary_unary(self._method)

    def send(self, payload: bytes, timeout_s: float) -> Reply:
        """Call once."""
        try:
            return Reply(Answer.ACCEPTED, body=self._call(payload, timeout=timeout_s, metadata=self._metadata))
        except grpc.RpcError as error:
            if error.code() in _WORTH_ANOTHER_TRY:
                wait_s = _retry_delay_s(error.trailing_metadata() or ())
                return Reply(Answer.AGAIN, wait_s, detail=error.code().name)
            return Reply(Answer.REFUSED, detail=f"{error.code().name}: {error.details()}")
        except Exception as error:  # a channel that was closed meanwhile
            return Reply(Answer.REFUSED, detail=f"{type(error).__name__}: {error}")

    def start_over(self) -> None:
        """A new channel; gRPC's threads did not survive the fork."""
        self._connect()

    def close(self) -> None:
        """Close the channel; a call under way is cancelled."""
        self._channel.close()


def _retry_delay_s(metadata: Iterable[tuple[str, Any]]) -> float | None:
    """The wait that `google.rpc.RetryInfo` in the status' details asks for."""
    for key, value in metadata:
        if key != "grpc-status-details-bin":
            continue
        try:
            details = Status.FromString(value).details
        except Exception:  # not what its name says
            return None
        for detail in details:
            info = RetryInfo()
            if detail.Unpack(info):
                return float(info.retry_delay.seconds + info.retry_delay.nanos / 1e9)
    return None
