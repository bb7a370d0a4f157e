"""From what a fleet was seen doing to a model of its transitions, and from that to numbers that can be published."""
