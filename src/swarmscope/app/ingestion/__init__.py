"""`swarmscope ingest`: files and pipes to a running program, at the speed of reading."""
