"""Pure computation on columns: no input, no output, no clock but the times that are handed in."""
