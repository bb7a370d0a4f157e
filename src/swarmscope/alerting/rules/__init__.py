"""Rules: read from files, evaluated when their data come in, remembered over restarts."""
