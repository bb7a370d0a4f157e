"""Texts, links and addresses in Prometheus' templates.

Source: https://prometheus.io/docs/prometheus/latest/configuration/template_reference/
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import quote_plus, urlsplit

from swarmscope.lang.logql.regexes import compile_regex
from swarmscope.lang.templates.errors import TemplateFailedError
from swarmscope.model.durations import parse_duration_ms

_MAX_LENGTH = 1 << 22  # many matches of a long replacement are more than anybody reads
_GO_REFERENCE = re.compile(r"\$(?:(\$)|\{(\w+)\}|(\w+))")


def title(text: str) -> str:
    """The first letter of each word in upper case."""
    return re.sub(r"(^|[^\w'])(\w)", lambda match: match[1] + match[2].upper(), text)


def match(pattern: str, text: str) -> bool:
    """Whether an RE2 pattern matches anywhere."""
    try:
        return compile_regex(pattern).search(text) is not None
    except ValueError as error:
        raise TemplateFailedError(str(error)) from None


def replace_all(pattern: str, replacement: str, text: str) -> str:
    """Replace all matches; `$1` and `${name}` stand for groups. Arguments as Prometheus orders them."""
    try:
        regex = compile_regex(pattern)
    except ValueError as error:
        raise TemplateFailedError(str(error)) from None

    length = 0

    def expand(found: object) -> str:
        nonlocal length

        def group(reference: re.Match[str]) -> str:
            if reference[1]:
                return "$"
            name = reference[2] or reference[3]
            try:
                return found[int(name) if name.isdecimal() else name] or ""  # type: ignore[index]
            except (IndexError, KeyError):
                return ""

        made = _GO_REFERENCE.sub(group, replacement)
        length += len(made)
        if length > _MAX_LENGTH:
            raise TemplateFailedError(f"more than {_MAX_LENGTH} characters")
        return made

    return str(regex.sub(expand, text))


def strip_port(address: str) -> str:
    """The host of `host:port`; what has no port stays."""
    if address.startswith("["):
        host, bracket, rest = address[1:].partition("]")
        return host if bracket and re.fullmatch(r":\d*", rest) else address
    host, colon, port = address.partition(":")
    return host if colon and ":" not in port else address


def strip_domain(address: str) -> str:
    """A host's first label, with its port; addresses of numbers stay."""
    host = strip_port(address)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        port = address[len(host) :] if address.startswith(host) else ""
        return host.partition(".")[0] + port
    return address


def graph_link(expr: str) -> str:
    """A path to the graph of a query."""
    return f"/graph?g0.expr={quote_plus(expr)}&g0.tab=0"


def table_link(expr: str) -> str:
    """A path to the table of a query."""
    return f"/graph?g0.expr={quote_plus(expr)}&g0.tab=1"


def parse_duration_s(text: str) -> float:
    """Seconds of `1h30m`."""
    try:
        return parse_duration_ms(text) / 1000
    except ValueError as error:
        raise TemplateFailedError(f"{text!r} {error}") from None


def path_prefix(url: str) -> str:
    """The path of the program's own address."""
    return urlsplit(url).path
