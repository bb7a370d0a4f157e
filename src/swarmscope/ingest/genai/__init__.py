"""What spans and lines say of agents, whatever convention they follow, in the terms of `model.agents`."""
