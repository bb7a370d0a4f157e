"""A fleet of agents in virtual time: pure, seeded, without clock or network."""
