"""A configuration as it may be shown: its text, with something else in place of every secret."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import yaml

SHOWN = "<secret>"
_SECRET = re.compile(
    r"(.*_)?(password|secret|token|api_key|routing_key|service_key|user_key|credentials|hmac_key|signing_key)",
    re.IGNORECASE,
)
# Addresses that are secrets themselves: who knows a webhook's may post to it.
_SECRET_URL = frozenset({"url", "api_url", "webhook_url", "slack_api_url", "proxy_url"})
_SECRET_BELOW = frozenset({"http_headers", "proxy_connect_header"})


def shown_config(text: str) -> str:
    """The text without secrets; nothing at all where it is no configuration."""
    try:
        node = yaml.compose(text, yaml.SafeLoader)
    except yaml.YAMLError:
        return ""
    if not isinstance(node, yaml.MappingNode):
        return ""
    for begin, end, shown in sorted(set(_secrets(node, "", hides=False)), reverse=True):
        text = text[:begin] + shown + text[end:]
    return text


def _secrets(node: yaml.Node, name: str, *, hides: bool) -> Iterator[tuple[int, int, str]]:
    """Where secret values begin and end, and what is shown in their place. `name` is the key that they stand under."""
    if isinstance(node, yaml.ScalarNode):
        is_secret = hides or _SECRET.fullmatch(name) is not None
        if node.value and (is_secret or name in _SECRET_URL):
            shown = SHOWN if is_secret else _shown_url(node.value)
            yield node.start_mark.index, node.end_mark.index, shown
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _secrets(item, name, hides=hides)
    elif isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _secrets(value, str(key.value), hides=hides or str(key.value) in _SECRET_BELOW)


def _shown_url(url: str) -> str:
    """Where it leads, without what gives the right to go there."""
    parts = urlsplit(url)
    try:
        host = parts.netloc.rpartition("@")[2]
    except ValueError:
        host = ""
    return f"{parts.scheme}://{host}/{SHOWN}" if parts.scheme and host else SHOWN
