"""Test kit: script runner, recording sink, reader in memory; no product package uses it."""
