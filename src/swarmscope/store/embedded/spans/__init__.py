"""Spans in the embedded store: from commits by way of the journal to parts, and back."""
