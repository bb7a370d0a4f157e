"""Test kit: script runners, recording and null sinks, fake clock, stores in a temp dir. No product package imports it."""
