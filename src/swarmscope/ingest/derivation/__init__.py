"""Metrics out of spans while they pass: calls and durations by operation, and who calls whom."""
