"""Whether a whole tells more of what comes next than its units do."""
