"""What is measured of a fleet as a whole, over HTTP."""
