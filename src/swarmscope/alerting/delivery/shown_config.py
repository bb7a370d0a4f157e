"""A configuration as it may be shown: its text, with something else in place of every secret."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

SHOWN = "<secret>"
# Also addresses that are secrets themselves: who knows a webhook's may post to it.
_SECRET = re.compile(
    r"(.*_)?(password|secret|token|api_key|routing_key|service_key|user_key|credentials|hmac_key|signing_key)"
    r"|slack_api_url|proxy_url|api_url|url|webhook_url|authorization",
    re.IGNORECASE,
)
_OPEN = frozenset({"pagerduty_url", "opsgenie_api_url", "token_url"})


def shown_config(text: str) -> str:
    """The text without secrets; nothing at all where it is no YAML."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return ""
    places = sorted(set(_places(node, hides=False)), reverse=True) if node is not None else []
    for begin, end in places:
        text = text[:begin] + SHOWN + text[end:]
    return text


def _places(node: yaml.Node, *, hides: bool) -> Iterator[tuple[int, int]]:
    """Where values of secret keys begin and end."""
    if isinstance(node, yaml.ScalarNode):
        if hides and node.value:
            yield node.start_mark.index, node.end_mark.index
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _places(item, hides=hides)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = str(key.value)
            is_secret = name not in _OPEN and _SECRET.fullmatch(name) is not None
            yield from _places(value, hides=hides or is_secret or name == "http_headers")
