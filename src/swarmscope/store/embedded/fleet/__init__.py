"""What is known of agents, in the embedded store."""
