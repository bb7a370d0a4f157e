"""The in-memory catalogue of series: interning on the write path, selection on the read path."""

from swarmscope.store.catalogue.activity import ActiveCounts
from swarmscope.store.catalogue.series_catalogue import Catalogue, Interned, PendingSeries
from swarmscope.store.catalogue.statistics import CatalogueStatistics
from swarmscope.store.catalogue.warm_up import warm_up

__all__ = ["ActiveCounts", "Catalogue", "CatalogueStatistics", "Interned", "PendingSeries", "warm_up"]
