"""Zipkin's protocols: v1 and v2 in JSON, v2 in protobuf. The mapping: model/zipkin_conventions.py."""
