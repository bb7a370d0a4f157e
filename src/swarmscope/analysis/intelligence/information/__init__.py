"""What a system's parts tell of its next state: effective information, and how much of it is in no part alone."""
