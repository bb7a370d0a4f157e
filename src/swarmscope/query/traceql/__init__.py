"""TraceQL over a `SpanReader`: text and time in, traces or series out."""
