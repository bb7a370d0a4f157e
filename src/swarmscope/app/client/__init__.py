"""The command line's client: asks over HTTP, prints tables, CSV, JSON and charts. Needs the light install only."""
