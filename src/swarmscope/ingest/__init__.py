"""Between the wire and the disk: each policy is a sink around a sink."""
