"""Jaeger's HTTP API: https://www.jaegertracing.io/docs/latest/architecture/apis/"""
