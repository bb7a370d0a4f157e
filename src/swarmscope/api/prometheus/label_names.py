"""Label names that travel in a path: Prometheus' `U__` escaping of UTF-8 names.

Source: prometheus/common/model/metric.go (ValueEncodingEscaping): after the prefix `__` stands for an underscore and
`_<hex>_` for the code point; what does not follow these rules is taken as it stands.
"""

from __future__ import annotations

import re

_PREFIX = "U__"
_ESCAPED = re.compile(r"_(?:(_)|([0-9a-fA-F]{1,6})_)|([^_])", re.ASCII | re.DOTALL)


def unescape_label_name(name: str) -> str:
    """The name behind an escaped one."""
    if not name.startswith(_PREFIX):
        return name
    rest = name[len(_PREFIX) :]
    pieces: list[str] = []
    at = 0
    while at < len(rest):
        found = _ESCAPED.match(rest, at)
        if found is None:
            return name
        underscore, code_point, plain = found.groups()
        if code_point is not None:
            number = int(code_point, 16)
            if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
                return name
            pieces.append(chr(number))
        else:
            pieces.append("_" if underscore else plain)
        at = found.end()
    return "".join(pieces)


def is_label_name(name: str) -> bool:
    """Whether Prometheus 3 takes it: any UTF-8 text that is not empty (undecodable bytes arrive as U+FFFD)."""
    return bool(name) and "\ufffd" not in name
