"""Jaeger's Thrift protocols: batches over HTTP, and an agent's datagrams. The mapping: model/jaeger_conventions.py."""
