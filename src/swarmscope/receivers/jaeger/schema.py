"""The structs of Jaeger's Thrift protocols, as their IDL publishes them.

Source: https://github.com/jaegertracing/jaeger-idl/blob/main/thrift/jaeger.thrift and agent.thrift there.
"""

from __future__ import annotations

from swarmscope.receivers.wire.thrift_scanner import ThriftSchema

SCHEMA = ThriftSchema(
    {
        "Tag": (
            "key string 1; vType i32 2; vStr string 3; vDouble double 4; vBool bool 5; vLong i64 6; vBinary binary 7"
        ),
        "Log": "timestamp i64 1; fields *Tag 2",
        "SpanRef": "refType i32 1; traceIdLow i64 2; traceIdHigh i64 3; spanId i64 4",
        "Span": (
            "traceIdLow i64 1; traceIdHigh i64 2; spanId i64 3; parentSpanId i64 4; operationName string 5; "
            "references *SpanRef 6; flags i32 7; startTime i64 8; duration i64 9; tags *Tag 10; logs *Log 11"
        ),
        "Process": "serviceName string 1; tags *Tag 2",
        "Batch": "process Process 1; spans *Span 2; seqNo i64 3",
        "emitBatch": "batch Batch 1",
    }
)
TYPE_STRING, TYPE_DOUBLE, TYPE_BOOL, TYPE_LONG, TYPE_BINARY = range(5)  # Tag.vType
CHILD_OF, FOLLOWS_FROM = 0, 1  # SpanRef.refType
