"""The stages of the program, in the order in which they start; each hands on what the next one needs."""
