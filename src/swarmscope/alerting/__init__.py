"""Rules, their alerts, who is told, and what is done about it."""
