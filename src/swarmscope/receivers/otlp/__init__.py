"""OpenTelemetry's protocol: metrics over gRPC, HTTP with protobuf and HTTP with JSON, to batches."""
