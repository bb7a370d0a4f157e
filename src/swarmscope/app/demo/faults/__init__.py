"""What is made to go wrong in the pretended fleet, and the truth about it."""
