"""Alerts as incidents: which belong together, what is the likely cause, and whom it will strike next. Pure."""
