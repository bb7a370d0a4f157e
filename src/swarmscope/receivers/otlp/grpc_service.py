"""OTLP over gRPC: `MetricsService/Export`. The other signals' services are refused by name until they exist."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import grpc
import numpy as np

from swarmscope.model.errors import SwarmscopeError
from swarmscope.receivers.otlp.answers import Failure, RpcCode, to_body, to_failure, to_response_message
from swarmscope.receivers.otlp.export import OtlpMetrics
from swarmscope.receivers.otlp.routes import RequestGate
from swarmscope.receivers.wire.request_headers import TENANT_HEADER, to_tenant

EXPORT_METHOD = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
_OUR_PREFIX = "/opentelemetry.proto.collector."
# Beyond this many times the bound, calls are refused by gRPC itself, before their bodies are read.
_WAITING_FACTOR = 4
_LOG = logging.getLogger(__name__)
_CODES = {int(code.value[0]): code for code in grpc.StatusCode}


def _abort(context: Any, failure: Failure) -> NoReturn:
    # grpcio-status does the same: the trailer holds the Status message with its details.
    context.set_trailing_metadata((("grpc-status-details-bin", failure.to_status().SerializeToString()),))
    context.abort(_CODES[int(failure.code)], failure.message)
    raise AssertionError("abort returned")


class _ExportHandler(grpc.GenericRpcHandler):  # type: ignore[misc]
    """Hands the request's bytes, not a message, to the decoder."""

    def __init__(self, metrics: OtlpMetrics) -> None:
        self._metrics = metrics
        self._gate = RequestGate(metrics.settings.max_concurrent_requests, metrics.settings.retry_after_s)
        self._export_handler = grpc.unary_unary_rpc_method_handler(self._export)
        self._other_handler = grpc.unary_unary_rpc_method_handler(_refuse_service)

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a method; None for what is no OTLP at all."""
        method = handler_call_details.method
        if method == EXPORT_METHOD:
            return self._export_handler
        return self._other_handler if method.startswith(_OUR_PREFIX) else None

    def _export(self, body: bytes, context: Any) -> bytes:
        try:
            tenant = to_tenant(_header(context, TENANT_HEADER))
            with self._gate.passed():
                result = self._metrics.export(np.frombuffer(body, np.uint8), tenant)
        except Exception as error:
            if not isinstance(error, SwarmscopeError):
                _LOG.exception("an OTLP request failed")
            _abort(context, to_failure(error))
        return to_body(to_response_message(result), as_json=False)


def _header(context: Any, name: str) -> str | None:
    return next((str(value) for key, value in context.invocation_metadata() if key == name), None)


def _refuse_service(body: bytes, context: Any) -> bytes:
    _abort(context, Failure(RpcCode.UNIMPLEMENTED, 501, "of OTLP only MetricsService/Export is served on this port"))


class OtlpGrpcServer:
    """The gRPC port. `port` is the one that was bound, which matters when the address says 0."""

    def __init__(self, metrics: OtlpMetrics, address: str, interceptors: Sequence[grpc.ServerInterceptor] = ()) -> None:
        settings = metrics.settings
        # One more thread than requests that are let in, so that somebody is there to refuse.
        self._executor = ThreadPoolExecutor(settings.max_concurrent_requests + 1, thread_name_prefix="otlp-grpc")
        self._server = grpc.server(
            self._executor,
            handlers=(_ExportHandler(metrics),),
            interceptors=tuple(interceptors),
            options=(
                ("grpc.max_receive_message_length", settings.max_body_bytes_decompressed),
                ("grpc.so_reuseport", 0),
            ),
            maximum_concurrent_rpcs=_WAITING_FACTOR * settings.max_concurrent_requests,
        )
        try:
            self.port = int(self._server.add_insecure_port(address))
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address} for OTLP over gRPC: {error}") from error
        if self.port == 0:
            raise OSError(f"cannot listen on {address} for OTLP over gRPC")

    def start(self) -> None:
        """Begin to take calls; returns at once."""
        self._server.start()

    def stop(self, grace_s: float) -> None:
        """Refuse new calls, let running ones end for `grace_s`, then cancel them; returns when all have ended."""
        self._server.stop(grace_s).wait()
        self._executor.shutdown(wait=True, cancel_futures=True)


def grpc_server(
    metrics: OtlpMetrics, address: str, interceptors: Sequence[grpc.ServerInterceptor] = ()
) -> OtlpGrpcServer:
    """A server bound to `address` ("127.0.0.1:4317") that is not started yet. Raises OSError when it cannot bind."""
    return OtlpGrpcServer(metrics, address, interceptors)
