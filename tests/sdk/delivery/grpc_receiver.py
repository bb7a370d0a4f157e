"""A small OTLP receiver over gRPC: takes traces, and fails as often as it is told to."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class GrpcReceiver:
    def __init__(self):
        self.requests = []
        self.metadata = []
        self.n_calls = 0
        self.failures = deque()  # (status code, seconds to wait or None)
        self.address = ""

    def take(self, body, context):
        self.n_calls += 1
        self.metadata += [(key, value) for key, value in context.invocation_metadata()]
        if self.failures:
            code, wait_s = self.failures.popleft()
            if wait_s is not None:
                info = RetryInfo()
                info.retry_delay.FromMilliseconds(int(wait_s * 1000))
                detail = AnyMessage()
                detail.Pack(info)
                status = Status(code=code.value[0], details=[detail]).SerializeToString()
                context.set_trailing_metadata((("grpc-status-details-bin", status),))
            context.abort(code, "told to")
        self.requests.append(body)
        return b""

    def names(self):
        return [
            span.name
            for body in self.requests
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


class _Handlers(grpc.GenericRpcHandler):
    def __init__(self, receiver):
        self._receiver = receiver

    def service(self, details):
        take = self._receiver.take if "TraceService" in details.method else lambda body, context: b""
        return grpc.unary_unary_rpc_method_handler(take)


@contextmanager
def grpc_receiver():
    receiver = GrpcReceiver()
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((_Handlers(receiver),))
    receiver.address = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield receiver
    finally:
        server.stop(0).wait()
