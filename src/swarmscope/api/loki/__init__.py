"""Loki's HTTP API. Manual: https://grafana.com/docs/loki/latest/reference/loki-http-api/"""
