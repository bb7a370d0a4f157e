"""LogQL evaluation with Loki 3's semantics, in columns."""
