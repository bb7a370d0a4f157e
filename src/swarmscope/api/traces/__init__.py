"""What the APIs of traces share: whole spans in OpenTelemetry's messages, and what is odd about a trace."""
