"""Which traces are kept: shares of ordinary ones, and all that are remarkable."""
