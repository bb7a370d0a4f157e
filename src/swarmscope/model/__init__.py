"""The vocabulary every other package speaks: labels, matchers, batches, contracts and errors."""
