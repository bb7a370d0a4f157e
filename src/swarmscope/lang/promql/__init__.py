"""PromQL: text in, inert tree out, and back to text. Reads the language of Prometheus 3."""

from swarmscope.lang.promql.ast_json import to_ast_json
from swarmscope.lang.promql.nodes import Node, ValueType
from swarmscope.lang.promql.parse import parse_promql, parse_selector
from swarmscope.lang.promql.printer import to_pretty, to_text
from swarmscope.lang.promql.tokens import line_column
from swarmscope.lang.promql.value_types import value_type

__all__ = [
    "Node",
    "ValueType",
    "line_column",
    "parse_promql",
    "parse_selector",
    "to_ast_json",
    "to_pretty",
    "to_text",
    "value_type",
]
