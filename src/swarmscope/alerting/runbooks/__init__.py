"""What is done about alerts: pages of Markdown that carry actions, run with care and recorded."""
