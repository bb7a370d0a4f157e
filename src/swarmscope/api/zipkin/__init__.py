"""Zipkin's HTTP API: https://zipkin.io/zipkin-api/"""
