"""Test kit: script runners, recording and null sinks, fake clock, stores in a temp dir; no product package uses it."""
