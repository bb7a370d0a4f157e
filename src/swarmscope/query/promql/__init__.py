"""PromQL evaluation with Prometheus 3's semantics, in columns."""

from swarmscope.query.promql.engine import PromqlEngine, QueryRequest, QueryResult, QueryStats
from swarmscope.query.promql.fetch import selectors_of
from swarmscope.query.promql.warming import warm_up
from swarmscope.query.settings import EngineSettings

__all__ = [
    "EngineSettings",
    "PromqlEngine",
    "QueryRequest",
    "QueryResult",
    "QueryStats",
    "selectors_of",
    "warm_up",
]
