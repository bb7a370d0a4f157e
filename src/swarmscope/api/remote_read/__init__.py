"""Prometheus remote read: sampled answers and streamed chunks."""
