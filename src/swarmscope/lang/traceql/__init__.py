"""TraceQL: text in, inert tree out, and back to text (`str(node)`). Reads the language of Tempo."""

from swarmscope.lang.traceql.nodes import Query
from swarmscope.lang.traceql.parse import parse_spanset_filter, parse_traceql

__all__ = ["Query", "parse_spanset_filter", "parse_traceql"]
