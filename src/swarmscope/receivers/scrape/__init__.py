"""Prometheus-compatible scraping: Prometheus' own `scrape_configs`, exposition formats and semantics."""

from swarmscope.receivers.scrape.config_file import load_scrape_config
from swarmscope.receivers.scrape.config_model import ScrapeConfigError, ScrapeSettings
from swarmscope.receivers.scrape.kernels import warm_up
from swarmscope.receivers.scrape.supervisor import ScrapeSupervisor

__all__ = ["ScrapeConfigError", "ScrapeSettings", "ScrapeSupervisor", "load_scrape_config", "warm_up"]
