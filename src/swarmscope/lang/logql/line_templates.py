"""The templates of `line_format` and `label_format`.

https://grafana.com/docs/loki/latest/query/template_functions/
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import lru_cache

from swarmscope.lang.logql.template_functions import FUNCTIONS
from swarmscope.lang.templates import SimplePart, Template, TemplateFunction, parse_template, run_template, simple_parts
from swarmscope.lang.templates.builtins import BUILTINS
from swarmscope.lang.templates.moments import Moment

LINE = "__line__"
TIMESTAMP = "__timestamp__"
NOW = "now"
_NAMES = frozenset({*BUILTINS, *FUNCTIONS, LINE, TIMESTAMP, NOW})


@lru_cache(maxsize=256)
def parse_logql_template(text: str) -> Template:
    """The tree of a template. Raises QuerySyntaxError where Go would refuse it or a function is unknown."""
    return parse_template(text, _NAMES)


class LineFormatter:
    """A template ready to run on lines. For one thread: it holds the line that it works on.

    `parts` is set where the template only puts text, labels and `__line__` one behind the other; then a caller can
    make whole columns instead of calling `format`.
    """

    def __init__(self, template: str, now_ns: int | None = None) -> None:
        self._template = parse_logql_template(template)
        self._line = ""
        self._ts_ns = 0
        now = Moment(time.time_ns() if now_ns is None else now_ns)
        self._functions = {
            **BUILTINS,
            **FUNCTIONS,
            LINE: TemplateFunction(lambda: self._line),
            TIMESTAMP: TemplateFunction(lambda: Moment(self._ts_ns)),
            NOW: TemplateFunction(lambda: now),
        }
        self.parts = logql_parts(self._template)

    def format(self, line: str, ts_ns: int, labels: Mapping[str, str]) -> str:
        """The template's output. A label that is not there is "". Raises TemplateFailedError (`TemplateFormatErr`)."""
        self._line, self._ts_ns = line, ts_ns
        return run_template(self._template, labels, self._functions, missing="")


def logql_parts(template: Template) -> tuple[SimplePart, ...] | None:
    """`simple_parts` where no function but `__line__` is called."""
    return simple_parts(template, frozenset({LINE}))
