"""Side-by-side benchmark of Swarmscope, VictoriaMetrics and Prometheus; `python -m bench --help`."""
