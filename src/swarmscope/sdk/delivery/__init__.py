"""From an agent's process to an OTLP endpoint: bounded, retried a few times, counted, and never in the agent's way."""
