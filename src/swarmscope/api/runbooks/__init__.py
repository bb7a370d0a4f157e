"""Runbooks, their runs, and who allows those."""
