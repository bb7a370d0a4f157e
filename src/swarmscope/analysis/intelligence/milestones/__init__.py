"""Learning milestones: where a series of results changed, and what that change was."""
