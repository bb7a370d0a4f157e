"""HTTP out: the Prometheus API and the program's own pages."""
