"""What the pretended fleet's events look like on the wire: OTLP, in four generations of conventions."""
