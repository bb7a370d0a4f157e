"""What spans say of a fleet of agents: whose work each is, who reached whom, what it used, and what goes wrong."""
