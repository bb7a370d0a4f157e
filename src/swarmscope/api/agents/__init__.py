"""Our own API of the fleet of agents; see `docs/api-agents.md`."""
