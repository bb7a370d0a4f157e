"""Logs in the embedded store: journal, generations, parts, and reading them back."""
