"""Alertmanager's HTTP API, version 2.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""
