"""Go's text/template: text in, inert tree out, and a run of the tree over data. https://pkg.go.dev/text/template"""

from swarmscope.lang.templates.errors import TemplateFailedError, TemplateTooLargeError
from swarmscope.lang.templates.functions import TemplateFunction
from swarmscope.lang.templates.nodes import Template
from swarmscope.lang.templates.objects import Record, SafeText, WithMethods
from swarmscope.lang.templates.parse import parse_template
from swarmscope.lang.templates.run import run_template
from swarmscope.lang.templates.simple_parts import CallPart, FieldPart, SimplePart, TextPart, simple_parts

__all__ = [
    "CallPart",
    "FieldPart",
    "Record",
    "SafeText",
    "SimplePart",
    "Template",
    "TemplateFailedError",
    "TemplateFunction",
    "TemplateTooLargeError",
    "TextPart",
    "WithMethods",
    "parse_template",
    "run_template",
    "simple_parts",
]
