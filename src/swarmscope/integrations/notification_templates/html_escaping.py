"""Escaping of what templates print into HTML, by where it is printed.

A small part of https://pkg.go.dev/html/template: text, attributes in quotes, and addresses. Scripts and styles are no
place for what alerts say, so nothing of them is printed there.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from urllib.parse import quote

REFUSED = "ZgotmplZ"  # what Go prints in place of an address that may do harm
_TAIL_LENGTH = 4096
_ADDRESS = re.compile(r"""<[^<>]*\s(?:href|src|action|background|cite|poster)\s*=\s*(["'])([^"'<>]*)$""", re.IGNORECASE)
_INSIDE = re.compile(r"<(script|style)\b[^>]*>(?!.*</\1)", re.IGNORECASE | re.DOTALL)
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SAFE_SCHEMES = ("http:", "https:", "mailto:")
_URL_SAFE = "%!#$&*+,/:;=?@[]~-._"


def escape_html(text: str, before: Sequence[str]) -> str:
    """The text, safe to stand behind what was printed before it."""
    tail = _tail(before)
    if _INSIDE.search(tail):
        return REFUSED
    address = _ADDRESS.search(tail)
    if address is not None:
        if not address[2] and _SCHEME.match(text) and not text.lower().startswith(_SAFE_SCHEMES):
            return "#" + REFUSED
        safe = "" if "?" in address[2] or "#" in address[2] else _URL_SAFE
        text = quote(text, safe=safe, errors="surrogateescape")
    return html.escape(text).replace("&#x27;", "&#39;").replace("&quot;", "&#34;").replace("+", "&#43;")


def _tail(before: Sequence[str]) -> str:
    parts: list[str] = []
    size = 0
    for part in reversed(before):
        parts.append(part)
        size += len(part)
        if size >= _TAIL_LENGTH:
            break
    return "".join(reversed(parts))[-_TAIL_LENGTH:]
