"""Incidents as JSON, and what people do about them."""
