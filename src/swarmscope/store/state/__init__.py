"""What must outlive the process and is small: states of alerts, silences, what was told to whom."""
