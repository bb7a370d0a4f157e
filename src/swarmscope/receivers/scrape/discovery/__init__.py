"""Where targets come from: fixed lists, files, HTTP endpoints, DNS."""
