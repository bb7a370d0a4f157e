"""How well agents work together, as named components, and what the fleet is more than its best agent."""
