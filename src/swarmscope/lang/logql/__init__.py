"""LogQL: text in, inert tree out, and back to text (`str(node)`). Reads the language of Loki 3."""

from swarmscope.lang.logql.layout import to_pretty
from swarmscope.lang.logql.line_templates import LineFormatter
from swarmscope.lang.logql.nodes import LogPipeline, MetricNode, Node
from swarmscope.lang.logql.parse import parse_log_query, parse_logql, parse_metric_query, parse_selector

__all__ = [
    "LineFormatter",
    "LogPipeline",
    "MetricNode",
    "Node",
    "parse_log_query",
    "parse_logql",
    "parse_metric_query",
    "parse_selector",
    "to_pretty",
    "to_text",
]


def to_text(node: Node) -> str:
    """The query on one line; parsing it gives an equal tree."""
    return str(node)
