"""Intervals, surrogates and corrections that every metric of the fleet shares."""
