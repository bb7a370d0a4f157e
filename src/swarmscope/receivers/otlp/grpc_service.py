"""OTLP over gRPC: each signal's `Export`. Services of signals that are not served are refused by name."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, NoReturn

import grpc
import numpy as np

from swarmscope.model.errors import SwarmscopeError
from swarmscope.receivers.otlp.answers import Failure, RpcCode, to_body, to_failure
from swarmscope.receivers.otlp.exporter import OtlpExporter
from swarmscope.receivers.otlp.routes import RequestGate
from swarmscope.receivers.wire.request_headers import TENANT_HEADER, to_tenant

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

    def __init__(self, signals: Sequence[OtlpExporter]) -> None:
        settings = signals[0].settings
        self._gate = RequestGate(settings.max_concurrent_requests, settings.retry_after_s)
        self._handlers = {
            signal.rpc_method: grpc.unary_unary_rpc_method_handler(partial(self._export, signal)) for signal in signals
        }
        served = " and ".join(method.rpartition(".")[2] for method in self._handlers)
        self._other_handler = grpc.unary_unary_rpc_method_handler(partial(_refuse_service, served))

    def service(self, handler_call_details: Any) -> Any:
        """The handler of a method; None for what is no OTLP at all."""
        method = handler_call_details.method
        if method.startswith(_OUR_PREFIX):
            return self._handlers.get(method, self._other_handler)
        return None

    def _export(self, signal: OtlpExporter, body: bytes, context: Any) -> bytes:
        try:
            tenant = to_tenant(_header(context, TENANT_HEADER))
            with self._gate.passed():
                result = signal.export(np.frombuffer(body, np.uint8), tenant)
        except Exception as error:
            if not isinstance(error, SwarmscopeError):
                _LOG.exception("an OTLP request failed")
            _abort(context, to_failure(error))
        return to_body(signal.to_response(result), as_json=False)


def _header(context: Any, name: str) -> str | None:
    return next((str(value) for key, value in context.invocation_metadata() if key == name), None)


def _refuse_service(served: str, body: bytes, context: Any) -> bytes:
    _abort(context, Failure(RpcCode.UNIMPLEMENTED, 501, f"of OTLP only {served} is served on this port"))


# gRPC bounds neither the number of connections nor lets anybody count them (its interceptors see calls), so each is
# bounded in time. Who was ended may come again: exporters do so by themselves, and lose no call.
# https://grpc.github.io/grpc/core/group__grpc__arg__keys.html
_CONNECTION_OPTIONS = {
    "grpc.server_handshake_timeout_ms": 10_000,  # a peer that says nothing at all
    "grpc.max_connection_idle_ms": 300_000,  # without a call; exporters call every 10 to 60 s
    "grpc.max_connection_age_ms": 3_600_000,
    "grpc.max_connection_age_grace_ms": 60_000,  # for calls under way at that age
    "grpc.keepalive_time_ms": 60_000,  # a peer whose machine is gone
    "grpc.keepalive_timeout_ms": 20_000,
}


class OtlpGrpcServer:
    """The gRPC port. `port` is the one that was bound, which matters when the address says 0."""

    def __init__(
        self, signals: Sequence[OtlpExporter], address: str, interceptors: Sequence[grpc.ServerInterceptor] = ()
    ) -> None:
        settings = signals[0].settings
        # One more thread than requests that are let in, so that somebody is there to refuse.
        self._executor = ThreadPoolExecutor(settings.max_concurrent_requests + 1, thread_name_prefix="otlp-grpc")
        self._server = grpc.server(
            self._executor,
            handlers=(_ExportHandler(signals),),
            interceptors=tuple(interceptors),
            options=(
                ("grpc.max_receive_message_length", settings.max_body_bytes_decompressed),
                ("grpc.so_reuseport", 0),
                ("grpc.max_concurrent_streams", _WAITING_FACTOR * settings.max_concurrent_requests),
                *_CONNECTION_OPTIONS.items(),
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
    signals: Sequence[OtlpExporter], address: str, interceptors: Sequence[grpc.ServerInterceptor] = ()
) -> OtlpGrpcServer:
    """A server bound to `address` ("127.0.0.1:4317") that is not started yet. Raises OSError when it cannot bind."""
    return OtlpGrpcServer(signals, address, interceptors)
