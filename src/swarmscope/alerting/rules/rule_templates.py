"""Templates in labels and annotations of alerts: Go's language, Prometheus' variables and functions.

Source: https://prometheus.io/docs/prometheus/latest/configuration/template_reference/
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias
from urllib.parse import quote_plus

from swarmscope.alerting.rules import template_numbers as numbers
from swarmscope.alerting.rules import template_texts as texts
from swarmscope.lang.templates import Template, TemplateFailedError, TemplateFunction, parse_template, run_template
from swarmscope.lang.templates.builtins import BUILTINS
from swarmscope.lang.templates.functions import Functions, Kind
from swarmscope.model.errors import SwarmscopeError

_PREAMBLE = (
    "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}{{$externalURL := .ExternalURL}}{{$value := .Value}}"
)
_VALUE_LABEL = "__value__"
# One result of a query: {"Labels": …, "Value": …}.
Sample: TypeAlias = Mapping[str, Any]
Query: TypeAlias = Callable[[str], Sequence[Sample]]


class GoMap(dict[str, str]):
    """Labels: a name that is not there is the empty text, as in Go's map of strings."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value, or the empty text."""
        return super().get(key, "")


@dataclass(frozen=True, slots=True)
class TemplateContext:
    """What templates of one rule's alerts have in common."""

    query: Query
    external_url: str = ""
    external_labels: Mapping[str, str] | None = None
    now_ms: int = 0  # Unix milliseconds of the evaluation


def _first(samples: object) -> object:
    if not isinstance(samples, list | tuple) or not samples:
        raise TemplateFailedError("first() called on vector with no elements")
    return samples[0]


def _part(sample: object, part: str) -> Any:
    if not isinstance(sample, Mapping) or part not in sample:
        raise TemplateFailedError(f"not a result of a query, so it has no {part.lower()}")
    return sample[part]


def _sort_by_label(label: str, samples: object) -> object:
    if not isinstance(samples, list | tuple):
        raise TemplateFailedError("not the results of a query")
    return sorted(samples, key=lambda sample: str(_part(sample, "Labels").get(label)))


_FUNCTIONS: dict[str, TemplateFunction] = {
    "first": TemplateFunction(_first, (Kind.ANY,)),
    "label": TemplateFunction(lambda name, sample: _part(sample, "Labels").get(name), (Kind.TEXT, Kind.ANY)),
    "value": TemplateFunction(lambda sample: _part(sample, "Value"), (Kind.ANY,)),
    "strvalue": TemplateFunction(lambda sample: _part(sample, "Labels").get(_VALUE_LABEL), (Kind.ANY,)),
    "sortByLabel": TemplateFunction(_sort_by_label, (Kind.TEXT, Kind.ANY)),
    "args": TemplateFunction(lambda *given: {f"arg{at}": each for at, each in enumerate(given)}, (), Kind.ANY),
    "safeHtml": TemplateFunction(lambda text: text, (Kind.TEXT,)),
    "humanize": TemplateFunction(numbers.humanize, (Kind.ANY,)),
    "humanize1024": TemplateFunction(numbers.humanize_1024, (Kind.ANY,)),
    "humanizeDuration": TemplateFunction(numbers.humanize_duration, (Kind.ANY,)),
    "humanizePercentage": TemplateFunction(numbers.humanize_percentage, (Kind.ANY,)),
    "humanizeTimestamp": TemplateFunction(numbers.humanize_timestamp, (Kind.ANY,)),
    "toTime": TemplateFunction(numbers.to_time, (Kind.ANY,)),
    "toDuration": TemplateFunction(numbers.to_duration, (Kind.ANY,)),
    "title": TemplateFunction(texts.title, (Kind.TEXT,)),
    "toUpper": TemplateFunction(str.upper, (Kind.TEXT,)),
    "toLower": TemplateFunction(str.lower, (Kind.TEXT,)),
    "match": TemplateFunction(texts.match, (Kind.TEXT, Kind.TEXT)),
    "reReplaceAll": TemplateFunction(texts.replace_all, (Kind.TEXT, Kind.TEXT, Kind.TEXT)),
    "stripPort": TemplateFunction(texts.strip_port, (Kind.TEXT,)),
    "stripDomain": TemplateFunction(texts.strip_domain, (Kind.TEXT,)),
    "graphLink": TemplateFunction(texts.graph_link, (Kind.TEXT,)),
    "tableLink": TemplateFunction(texts.table_link, (Kind.TEXT,)),
    "parseDuration": TemplateFunction(texts.parse_duration_s, (Kind.TEXT,)),
    "urlQueryEscape": TemplateFunction(quote_plus, (Kind.TEXT,)),
}
# Those that need more than their arguments.
_BOUND = ("query", "externalURL", "pathPrefix", "now")
_KNOWN = frozenset({*BUILTINS, *_FUNCTIONS, *_BOUND})


@lru_cache(maxsize=8192)
def _parsed(text: str) -> Template:
    return parse_template(_PREAMBLE + text, _KNOWN)


def check_template(text: str) -> None:
    """Raise QuerySyntaxError where a text is no template."""
    if "{{" in text:
        _parsed(text)


def expand(text: str, labels: Mapping[str, str], value: float, context: TemplateContext) -> str:
    """The text for one alert. Raises QuerySyntaxError, TemplateFailedError and what the query raises."""
    if "{{" not in text:
        return text
    template = _parsed(text)
    data = {
        "Labels": GoMap(labels),
        "ExternalLabels": GoMap(context.external_labels or {}),
        "ExternalURL": context.external_url,
        "Value": value,
    }
    return run_template(template, data, _functions(context))


def expand_or_tell(text: str, labels: Mapping[str, str], value: float, context: TemplateContext) -> tuple[str, str]:
    """The text for one alert and "", or what Prometheus puts in its place and the error."""
    try:
        return expand(text, labels, value, context), ""
    except SwarmscopeError as error:
        return f"<error expanding template: {error}>", str(error)


def _functions(context: TemplateContext) -> Functions:
    def query(expr: str) -> list[Sample]:
        return [{"Labels": GoMap(each["Labels"]), "Value": each["Value"]} for each in context.query(expr)]

    return {
        **_FUNCTIONS,
        "query": TemplateFunction(query, (Kind.TEXT,)),
        "externalURL": TemplateFunction(lambda: context.external_url),
        "now": TemplateFunction(lambda: context.now_ms / 1000),
        "pathPrefix": TemplateFunction(lambda: texts.path_prefix(context.external_url)),
    }
