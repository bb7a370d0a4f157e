"""Tempo's HTTP API, for Grafana's Tempo data source and whoever else asks a Tempo for traces."""
