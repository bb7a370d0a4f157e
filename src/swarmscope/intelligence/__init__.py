"""Intelligence metrics of the running fleet: what evaluators said of it, and what is computed from its activity."""
