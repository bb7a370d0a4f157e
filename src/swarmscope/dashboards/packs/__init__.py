"""Rule files that ship with the program, a pack each."""
