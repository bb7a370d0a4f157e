"""The program's own metrics and logs: what it tells about itself."""
