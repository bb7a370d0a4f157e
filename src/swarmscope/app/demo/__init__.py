"""A pretended fleet of agents that sends real OTLP over the wire; see `docs/demo.md`."""
