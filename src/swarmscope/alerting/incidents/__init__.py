"""Alerts that belong together as incidents: grouped as they come, with likely causes, kept over restarts."""
