"""Protocols on their way in: one folder a wire protocol, bytes to batches. `wire` holds the shared decoders."""
